"""What a trial costs beyond its training: 1, 2 and 4 workers of trials of fixed length that sleep and compute nothing.

``python -m tests.benchmarks.bench_sweep_scaling [SECONDS_A_TRIAL] [TRIALS_A_WORKER]``. Also what the coordinator spends
on proposing and taking note of one trial when it knows few or many: its inverse is how many trials a second one
coordinator can serve.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from suite.places import Places
from suite.spec.base import validate
from suite.spec.sweep import SweepSpec
from suite.sweep.source import Ended, SweepSource
from suite.work.source import Item
from tests.benchmarks.rows import Row, record, timed
from tests.sweep.conftest import TOY, WORLD

TRIALS = 20  # that are timed


def spec_of(**more: Any) -> SweepSpec:
    """A sweep of sleeping toys."""
    base = {"name": "bench", "methods": ["toy"], "datasets": [WORLD], "space": {"q": {}, "beta": {}}, "default": False}
    return validate(SweepSpec, {**base, **more}, "the benchmark")


def overhead(workers: int, seconds: float, each: int, folder: str) -> float:
    """Seconds a trial beyond its length, while all workers are at work (their start is not counted)."""
    from suite.sweep.search import run_sweep

    moments: list[tuple[float, int]] = []

    def note(snapshot: dict[str, Any]) -> None:
        done = snapshot["studies"][0]["counts"]["complete"]
        if len(snapshot["running"]) == workers and done >= workers:
            moments.append((time.perf_counter(), done))

    params = {"seconds": seconds, "epochs": 1}
    spec = spec_of(sampler="random", params=params, budget={"trials": each * workers}, concurrency=workers)
    run_sweep(spec, Places(f"{folder}/{workers}"), watch=note)
    (began, first), (ended, last) = moments[0], moments[-1]
    return (ended - began) * workers / max(1, last - first) - seconds


def after(known: int, trial: Callable[[int], None]) -> float:
    """CPU seconds of one trial, from twenty that follow ``known`` others."""
    for count in range(known):
        trial(count)
    return timed(lambda: [trial(known + count) for count in range(TRIALS)])[0] / TRIALS


def coordinating(sampler: str, known: int, folder: str) -> float:
    """Seconds the coordinator spends on one trial, asked and answered, after ``known`` others."""
    places = Places(f"{folder}/{sampler}-{known}")
    source = SweepSource(spec_of(sampler=sampler, budget={"trials": known + TRIALS}), places)

    def trial(count: int) -> None:
        work = source.next("w")
        assert isinstance(work, Item)
        source.done("w", work.number, [Ended(work.units[0].proposal.number, "complete", (count % 7 / 7,))])

    return after(known, trial)


def asking(sampler: str, known: int) -> float:
    """Seconds that Optuna alone spends on one trial of two parameters after ``known`` others, kept in memory."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    made = optuna.samplers.TPESampler(seed=0) if sampler == "tpe" else optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(sampler=made)

    def trial(count: int) -> None:
        asked = study.ask()
        for name in ("q", "beta"):
            asked.suggest_float(name, 0.0, 1.0)
        study.tell(asked, count % 7 / 7)

    return after(known, trial)


def main() -> None:
    """Measure and print."""
    import ray

    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    each = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    os.environ["SUITE_METHODS"] = str(TOY)
    with tempfile.TemporaryDirectory() as folder:
        for sampler, known in (("random", 20), ("random", 1000), ("tpe", 20), ("tpe", 200), ("tpe", 1000)):
            spent = coordinating(sampler, known, folder)
            share, name = asking(sampler, known) / spent, "Optuna's ask and tell in memory"
            what = f"the coordinator on a trial, {sampler} knowing {known}"
            record(Row("sweep_scaling", what, "", None, spent, share, bound=name))
        ray.init(num_cpus=4, include_dashboard=False, object_store_memory=200 * 2**20, log_to_driver=False)
        for workers in (1, 2, 4):
            beyond = overhead(workers, seconds, each, folder)
            what, share = f"a trial of {seconds:g} s on {workers} workers, beyond itself", seconds / (seconds + beyond)
            record(Row("sweep_scaling", what, "", None, beyond, share, bound="the trial itself, of all its time"))
        ray.shutdown()


if __name__ == "__main__":
    main()
