"""A sweep of a recognition loss on planted data against plain Optuna with processes on the same objective.

``python -m tests.benchmarks.bench_sweep [TRIALS] [packed|separate]``: both start from nothing (cluster, processes,
imports included), use two cores, draw at random from the same space, train the same networks and record every run in a
ledger. Prints seconds, trials an hour and their ratio.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from suite.data import load
from suite.places import Places
from suite.results.ledger import Ledger
from suite.runs import resolve_run
from suite.spec.base import validate
from suite.spec.sweep import SweepSpec
from tests.benchmarks.ceilings import RUNS
from tests.benchmarks.rows import Row, record

METHOD, WORLD, EPOCHS, CORES = "label-smoothing", "planted-verbs", 10, 2
FIXED: dict[str, Any] = {"hidden": 64}
SPACE: dict[str, Any] = {"epsilon": {"low": 0.0, "high": 0.9}, "lr": {"low": 1e-4, "high": 1e-2}}


def ours(trials: int, places: Places, packed: int) -> float:
    """Seconds of the whole sweep."""
    from suite.sweep.search import run_sweep

    values = {"name": "bench", "methods": [METHOD], "datasets": [WORLD], "space": SPACE, "params": FIXED}
    budget = {"trials": trials, "epochs": EPOCHS}
    more = {"sampler": "random", "budget": budget, "concurrency": CORES, "packed": packed}
    spec = validate(SweepSpec, {**values, **more}, "the benchmark")
    start = time.perf_counter()
    run_sweep(spec, places)
    return time.perf_counter() - start


def plain(trials: int, places: Places) -> float:
    """Seconds of ``trials`` trials in two processes that share an Optuna study."""
    context = multiprocessing.get_context("spawn")
    storage = str(Path(places.outputs) / "study.log")
    Path(storage).parent.mkdir(parents=True, exist_ok=True)
    counts = [trials // CORES + (i < trials % CORES) for i in range(CORES)]
    workers = [context.Process(target=_optimize, args=(storage, places, n, i)) for i, n in enumerate(counts)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - start


def _optimize(file: str, places: Places, trials: int, seed: int) -> None:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    from suite.work.execute import execute
    from suite.work.machine import Machine

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    ledger = Ledger(places.ledger)

    def objective(trial: Any) -> float:
        values = {name: trial.suggest_float(name, **axis, log=name == "lr") for name, axis in SPACE.items()}
        outcome = execute(resolve_run(METHOD, WORLD, {**FIXED, **values}, epochs=EPOCHS), places, machine=Machine())
        ledger.record(outcome)
        wanted = {"metric": "top-set", "split": "validation", "selection": "validation"}
        return next(m["value"] for m in outcome.metrics if all(m[k] == v for k, v in wanted.items()))

    study = optuna.create_study(
        study_name="plain",
        storage=JournalStorage(JournalFileBackend(file)),
        sampler=optuna.samplers.RandomSampler(seed=seed),
        direction="maximize",
        load_if_exists=True,
    )
    study.optimize(objective, n_trials=trials)


def main() -> None:
    """Measure and print."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    packed = 0 if "separate" in sys.argv else 16
    with tempfile.TemporaryDirectory() as folder:
        places = [Places(f"{folder}/{name}") for name in ("ours", "plain")]
        for one in places:
            load(WORLD, "recognition", None, one.cache)  # neither pays for packing the world
        seconds = ours(trials, places[0], packed), plain(trials, places[1])
        assert all(len(Ledger(one.ledger).finished()) == trials for one in places)
        busy = [Ledger(one.ledger).runs()["seconds"].sum() / CORES for one in places]
    for name, took, part in zip(("suite sweep", "plain Optuna"), seconds, busy):
        what, ratio = f"{name}: {trials} trials, start and imports included", seconds[1] / took
        record(Row("sweep", what, "plain Optuna in two processes", ratio, took, part / took, bound=RUNS))


if __name__ == "__main__":
    main()
