"""A board's tables from a ledger of a million metric rows, its page, and the index over ten thousand runs.

``python -m tests.benchmarks.bench_report``: seconds of CPU and the most memory that the process held.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from suite.registry import method
from suite.report.build import gather, write
from suite.report.index import refresh
from suite.results.ledger import Ledger
from suite.results.schema import TABLES, to_table
from suite.spec.board import BoardRun, LeaderboardSpec
from suite.spec.run import RunSpec
from tests.results.ledgers import outcome

METHODS = ("mask-bce", "pseudo-single-bce", "assume-negative", "focal", "ce", "label-smoothing", "epr", "role")
DATASETS, SEEDS, CLASSES = 25, 10, 160  # 2,000 runs of about 500 rows


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        rows = _elsewhere(_fill_board, folder)
        board, asked = _board()
        ledger = Ledger(Path(folder) / "ledger")
        content = _timed(f"tables of {rows:,} metric rows", lambda: gather(board, asked, ledger))
        _timed("their page", lambda: write(content, Path(folder) / "reports" / "board"))
    with tempfile.TemporaryDirectory() as folder:
        _elsewhere(_fill_runs, folder)
        ledger = Ledger(Path(folder) / "ledger")
        _timed("index over 10,000 runs", lambda: refresh(Path(folder) / "reports", ledger))


def _elsewhere(act: Callable[[str], int], folder: str) -> int:
    """``act`` in a process of its own, whose memory is not counted."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(act, folder).result()


def _timed(what: str, act: Callable[[], Any]) -> Any:
    start, wall = time.process_time(), time.perf_counter()
    found = act()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    spent = time.process_time() - start
    print(f"{what}: {spent:.2f} s of CPU, {time.perf_counter() - wall:.2f} s, at most {peak:.2f} GiB held", flush=True)
    return found


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
