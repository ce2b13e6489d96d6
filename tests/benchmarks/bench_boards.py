"""Which share of a board's time is training: of a run's seconds, and of what two workers have while a board is made.

``python -m tests.benchmarks boards``: runs with the settings of the board ``quick``, and a board of its recognition
methods. ``python -m tests.benchmarks.bench_boards OUTPUTS BOARD [WORKERS]`` reads the second share from the ledger of a
board that was made already: seconds of its runs over the workers' seconds between the first start and the last end.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from suite.places import Places
from suite.results.ledger import Ledger
from suite.runs import resolve_run
from suite.train.loop import Loop
from suite.work.execute import execute
from suite.work.machine import Machine
from tests.benchmarks.ceilings import RUNS, STEPS
from tests.benchmarks.rows import Row, record

WORKERS, AIM = 2, 0.85
CASES: list[tuple[str, str, dict[str, Any], int | None]] = [
    ("mask-bce", "planted-verbs", {"hidden": 256, "batch": 128, "evaluate_every": 2, "lr": 0.001}, 24),
    (
        "action-selection",
        "planted-videos",
        {"hidden": 64, "positions": 250, "epochs": 40, "evaluate_every": 8, "warm_epochs": 10, "lr": 0.001},
        None,
    ),
]
BOARD = """name = "timed"
title = "Timed"
[[tables]]
title = "Recognition"
task = "recognition"
datasets = ["planted-verbs"]
methods = ["all"]
seeds = 2
epochs = 24
params = { hidden = 256, batch = 128, evaluate_every = 2, neighbours = 15, tau = 0.1, lr = 0.001 }
metrics = ["top-set"]
"""


class Clock:
    """Seconds spent in some methods of a class while they are replaced."""

    def __init__(self, kind: type, *names: str) -> None:
        self.kind, self.seconds = kind, dict.fromkeys(names, 0.0)
        self.own = {name: getattr(kind, name) for name in names}

    def __enter__(self) -> Clock:
        for name in self.own:
            setattr(self.kind, name, self._timed(name))
        return self

    def __exit__(self, *_: object) -> None:
        for name, method in self.own.items():
            setattr(self.kind, name, method)

    def _timed(self, name: str) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return self.own[name](*given, **named)
            finally:
                self.seconds[name] += time.perf_counter() - start

        return call


def inside(method: str, world: str, params: dict[str, Any], epochs: int | None) -> None:
    """The share of a run that are its steps, and what evaluation takes.

    The second of two runs is timed, which differ in the learning rate: as the trials of a board do, they share packed
    data and neighbours.
    """
    with tempfile.TemporaryDirectory() as folder, Clock(Loop, "_run_epoch", "_evaluate") as clock:
        for rate in (0.003, params["lr"]):
            spec = resolve_run(method, world, {**params, "lr": rate}, epochs=epochs)
            clock.seconds = dict.fromkeys(clock.seconds, 0.0)
            start = time.perf_counter()
            execute(spec, Places(folder), machine=Machine())
            whole = time.perf_counter() - start
    steps, looked = clock.seconds["_run_epoch"], clock.seconds["_evaluate"]
    what = f"a further run of {method} on {world}: share of steps"
    record(Row("boards", what, "", None, whole, steps / whole, bound=STEPS))
    print(f"  steps {steps:.2f} s, evaluation {looked:.2f} s, all else {whole - steps - looked:.2f} s", flush=True)


def between(outputs: str, group: str = "", workers: int = WORKERS) -> tuple[float, float, int]:
    """Seconds of runs over seconds of workers from the first start to the last end, those seconds, and runs."""
    runs = Ledger(Places(outputs).ledger).runs().filter(pl.col("status") == "finished")
    runs = runs.filter(pl.col("group").str.contains(group, literal=True)) if group else runs
    start = runs["started"].dt.epoch("us") / 1e6
    wall = float((start + runs["seconds"]).max() - start.min())
    return float(runs["seconds"].sum()) / (workers * wall), wall, len(runs)


def board() -> None:
    """A board made by the command, in a folder of its own."""
    import subprocess

    with tempfile.TemporaryDirectory() as folder:
        path, outputs = Path(folder) / "timed.toml", f"{folder}/outputs"
        path.write_text(BOARD, encoding="utf-8")
        code = "from suite.cli import main; main()"
        command = [sys.executable, "-c", code, "leaderboard", str(path), "--out", outputs, "--jobs", str(WORKERS)]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        whole = time.perf_counter() - start
        share, wall, count = between(outputs)
    what = f"a board of {count} runs at {WORKERS} workers: share of runs"
    record(Row("boards", what, "", None, wall, share, bound=RUNS))
    everything = share * wall / whole
    record(Row("boards", "the same with start and page", "", None, whole, everything, bound=RUNS))
    print(f"  target {AIM:.0%}; start and page {whole - wall:.1f} s", flush=True)


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    if len(sys.argv) > 2:
        workers = int(sys.argv[3]) if len(sys.argv) > 3 else WORKERS
        share, wall, count = between(sys.argv[1], sys.argv[2], workers)
        print(f"{count} runs in {wall:.0f} s on {workers} workers: {share:.0%} of their time is runs; target {AIM:.0%}")
        return
    for case in CASES:
        inside(*case)
    board()


if __name__ == "__main__":
    main()
