"""How many runs a second 4 processes can record, and what share of it one process alone reaches.

``python -m tests.benchmarks.bench_ledger``: 40 records of a small run (four appends each) from 4 processes at once
against the same 40 from one, measured in one go; also appends to one table, and reading back around a compaction.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

from suite.results.ledger import Ledger
from tests.benchmarks.bench_report import READ, WRITTEN, reader, write_plain
from tests.benchmarks.rows import Row, least, record
from tests.results.ledgers import outcome

PROCESSES, EACH = 4, 10


def _record(folder: str, worker: int, only_runs: bool, barrier: Barrier) -> None:
    ledger = Ledger(folder)
    ledger.record(outcome(method=f"warm-{worker}"))  # imports, first use
    outcomes = [outcome(method=f"m{worker}", seed=seed) for seed in range(EACH)]
    if only_runs:
        outcomes = [type(o)(o.run) for o in outcomes]
    barrier.wait()
    for one in outcomes:
        ledger.record(one)
    barrier.wait()


def together(folder: Path, only_runs: bool) -> float:
    """Seconds that PROCESSES processes need for EACH records each, all starting at once."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES + 1)
    workers = [
        context.Process(target=_record, args=(str(folder), worker, only_runs, barrier)) for worker in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    barrier.wait()
    start = time.perf_counter()
    barrier.wait()
    seconds = time.perf_counter() - start
    for worker in workers:
        worker.join()
    assert len(Ledger(folder).finished()) == PROCESSES * (EACH + 1)
    return seconds


def alone(folder: Path) -> float:
    """Seconds that one process needs for the same records."""
    ledger = Ledger(folder)
    ledger.record(outcome(method="warm"))
    outcomes = [outcome(method=f"m{worker}", seed=seed) for worker in range(PROCESSES) for seed in range(EACH)]
    start = time.perf_counter()
    for one in outcomes:
        ledger.record(one)
    return time.perf_counter() - start


def reading(folder: Path) -> float:
    """Seconds to read runs, metrics and curves whole."""
    ledger = Ledger(folder)
    start = time.perf_counter()
    assert len(ledger.metrics()) and len(ledger.curves())
    return time.perf_counter() - start


def main() -> None:
    """Print the measurements."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        single = together(folder / "single", only_runs=True)
        four, one = together(folder / "four", only_runs=False), alone(folder / "one")
        before = reading(folder / "four")
        Ledger(folder / "four").compact(keep_hours=0)
        after = reading(folder / "four")
        bound = least(reader(Ledger(folder / "four"), "metrics", "curves"))
    total = PROCESSES * EACH
    written = least(lambda: [write_plain(outcome()) for _ in range(total)])
    what, against = f"to record {total} runs from {PROCESSES} processes", "one process"
    record(Row("ledger", what, against, one / four, four, written / four, bound=WRITTEN))
    record(Row("ledger", f"{what}, without metrics", "", None, single, written / 4 / single, bound=WRITTEN))
    what = f"reading {total} runs back, compacted"
    record(Row("ledger", what, "before compaction", before / after, after, bound / after, bound=READ))


if __name__ == "__main__":
    main()
