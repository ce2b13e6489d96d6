"""A board's tables from a ledger of a million metric rows, its page, and the index over ten thousand runs.

``python -m tests.benchmarks.bench_report``: seconds of CPU and the most memory that the process held; also what a run
more costs in each of these ledgers.
"""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from suite.registry import method
from suite.report.build import gather, write
from suite.report.index import refresh
from suite.results.ledger import Ledger
from suite.results.schema import TABLES, Outcome, to_table
from suite.spec.board import BoardRun, LeaderboardSpec
from suite.spec.run import RunSpec
from tests.benchmarks.rows import Row, least, record, timed
from tests.results.ledgers import outcome

ADDED = 10  # runs
READ, WRITTEN = "reading the same Parquet", "writing the same rows as Parquet"
METHODS = ("mask-bce", "pseudo-single-bce", "assume-negative", "focal", "ce", "label-smoothing", "epr", "role")
DATASETS, SEEDS, CLASSES = 25, 10, 160  # 2,000 runs of about 500 rows


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        rows = _elsewhere(_fill_board, folder)
        board, asked = _board()
        ledger = Ledger(Path(folder) / "ledger")
        held = f"{rows:,} metric rows"
        content = _timed(f"tables of {held}", reader(ledger), lambda: gather(board, asked, ledger))
        _timed(f"the page of {held}", reader(ledger), lambda: write(content, Path(folder) / "reports" / "board"))
        _additions(held, ledger)
    with tempfile.TemporaryDirectory() as folder:
        _elsewhere(_fill_runs, folder)
        ledger = Ledger(Path(folder) / "ledger")
        _timed("index over 10,000 runs", reader(ledger), lambda: refresh(Path(folder) / "reports", ledger))
        _additions("10,000 runs", ledger)


def _elsewhere(act: Callable[[str], int], folder: str) -> int:
    """``act`` in a process of its own, whose memory is not counted."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(act, folder).result()


def _timed(what: str, bound: Callable[[], Any], act: Callable[[], Any]) -> Any:
    spent, found = timed(act)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    record(Row("report", what, "", None, spent, least(bound) / spent, bound=READ))
    print(f"  at most {peak:.2f} GiB held", flush=True)
    return found


def _additions(held: str, ledger: Ledger) -> None:
    """What a board's driver and ledger cost per run, in a ledger that holds that much."""
    several = [outcome(seed=SEEDS + number) for number in range(ADDED)]
    ledger.record(several[0])
    spent, _ = timed(lambda: [ledger.record(one) for one in several[1:]])
    each = spent / (ADDED - 1)
    share = least(lambda: write_plain(several[0])) / each
    record(Row("report", f"to record a run beside {held}", "", None, each, share, bound=WRITTEN))
    looks, bound = least(ledger.finished), least(reader(ledger, "runs", columns=["run", "status"]))
    what = f"to see which runs are finished among {held}"
    record(Row("report", what, "", None, looks, bound / looks, bound=READ))


def reader(ledger: Ledger, *names: str, columns: list[str] | None = None) -> Callable[[], Any]:
    """Reads the Parquet files of some tables of a ledger, or of all; ``columns`` of them, or all."""
    files = [file for name in names or TABLES for file in (Path(ledger.folder) / name).rglob("*.parquet")]
    return lambda: [pl.read_parquet(file, columns=columns) for file in files]


def write_plain(one: Outcome) -> None:
    """Writes the rows of a run as a Parquet file per table, and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        for name in TABLES:
            rows = [one.run] if name == "runs" else getattr(one, name)
            if len(rows):
                pq.write_table(to_table(name, rows, one.id, "a"), f"{folder}/{name}.parquet")


def _board() -> tuple[LeaderboardSpec, list[BoardRun]]:
    datasets = [f"planted-verbs[snr={number + 1}]" for number in range(DATASETS)]
    table = {"title": "Many", "datasets": datasets, "methods": list(METHODS), "seeds": SEEDS}
    board = LeaderboardSpec.model_validate({"name": "many", "title": "Many", "tables": [table]})
    asked = []
    for number, name in enumerate(datasets):
        for one in METHODS:
            params = method(one).resolve({})
            for seed in range(SEEDS):
                dials = {"snr": float(number + 1)}
                spec = RunSpec(method=one, dataset="planted-verbs", dials=dials, params=params, seed=seed)
                asked.append(BoardRun(spec, f"{number:02d}-{one}-{seed}", 0, method(one).title, name))
    return board, asked


def _fill_board(folder: str) -> int:
    """Runs with rows of three selections for every class; returns the number of metric rows."""
    ledger, (_, asked) = Ledger(Path(folder) / "ledger"), _board()
    generator, tables, count = np.random.default_rng(0), {"runs": [], "metrics": []}, 0
    names = [("top-set", ""), ("mAP", ""), *(("AP", f"class-{number:03d}") for number in range(CLASSES))]
    for place, one in enumerate(asked):
        run = {**outcome(one.spec.method, one.spec.seed, one.dataset).run, "run": one.run}
        tables["runs"].append(to_table("runs", [run], one.run, f"a{place}"))
        parts = [(s, *name) for s in ("validation", "last", "oracle") for name in names]
        columns = {
            "split": ["test"] * len(parts),
            "selection": [part[0] for part in parts],
            "metric": [part[1] for part in parts],
            "label": [part[2] for part in parts],
            "value": generator.random(len(parts)),
        }
        tables["metrics"].append(to_table("metrics", pa.table(columns), one.run, f"a{place}"))
        count += len(parts)
    for name in ("metrics", "runs"):
        ledger.stores[name].append(pa.concat_tables(tables[name]))
    return count


def _fill_runs(folder: str, count: int = 10_000) -> int:
    ledger = Ledger(Path(folder) / "ledger")
    base = outcome("mask-bce", 0, "planted-verbs").run
    rows = [{**base, "run": f"run{number:06d}", "seed": number} for number in range(count)]
    parts = [to_table("runs", [row], row["run"], f"a{row['run']}") for row in rows]
    value = {"split": "test", "selection": "validation", "metric": "top-set", "value": 0.5}
    metrics = [to_table("metrics", [value], row["run"], f"a{row['run']}") for row in rows]
    ledger.stores["metrics"].append(pa.concat_tables(metrics).cast(TABLES["metrics"]))
    ledger.stores["runs"].append(pa.concat_tables(parts).cast(TABLES["runs"]))
    return count


if __name__ == "__main__":
    main()
