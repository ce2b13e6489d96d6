"""What the feature store costs: packing against copying, opening by size, memory by process, and reading rows.

Run with ``python -m tests.benchmarks.bench_store``. Every line is a ratio of two things measured in this run.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil

from suite.data.storage.rows import LazyRows
from suite.data.storage.store import open_store, write_store
from tests.benchmarks.rows import Row, record

ROWS, CHANNELS = 67_217, 4_096
"""EPIC-Kitchens-100 training clips by RGB and flow features."""


def seconds(work: Callable[[], object], repeats: int = 1) -> float:
    """The median CPU time of ``work``."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def lazy(rows: int) -> LazyRows:
    """Rows of the right size, cheap to make."""
    block = np.random.default_rng(0).standard_normal((1024, CHANNELS), dtype=np.float32)

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, rows, len(block)):
            yield block[: rows - start]

    return LazyRows((rows, CHANNELS), blocks)


def plain_write(path: Path, rows: LazyRows) -> None:
    """The least that packing can cost: the same bytes hashed and written."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for block in rows.blocks():
            digest.update(block.data)
            file.write(block.data)
        file.flush()
        os.fsync(file.fileno())


def anonymous() -> int:
    """Bytes of memory that belong to this process alone (mapped file pages belong to the page cache)."""
    return sum(part.anonymous for part in psutil.Process().memory_maps())


def memory_of_a_reader(folder: str, answer: multiprocessing.Queue[int]) -> None:
    """What a process gains in memory of its own by opening the store and gathering 4,096 random rows."""
    before = anonymous()
    features = open_store(Path(folder))["features"]
    for batch in np.random.default_rng(os.getpid()).integers(0, len(features), (64, 64)):
        float(features[batch].sum())
    answer.put(anonymous() - before)


def packing(folder: Path) -> None:
    """Packing EPIC-size rows against hashing and writing the same bytes."""
    rows, size = lazy(ROWS), ROWS * CHANNELS * 4
    packed = seconds(lambda: write_store(folder / "whole", {"features": rows}, lambda key: None))
    plain = seconds(lambda: plain_write(folder / "plain", rows))
    (folder / "plain").unlink()
    what, name = f"packing {size / 2**30:.2f} GiB", "hashing and writing those bytes"
    record(Row("store", what, "", None, packed, plain / packed, bound=name))


def opening(folder: Path) -> None:
    """Opening EPIC-size rows against opening 64."""
    write_store(folder / "small", {"features": lazy(64)}, lambda key: None)
    whole = seconds(lambda: open_store(folder / "whole"), 51)
    small = seconds(lambda: open_store(folder / "small"), 51)
    what, name = f"opening {ROWS:,} rows of {CHANNELS:,} channels", "opening 64 rows"
    record(Row("store", what, "", None, whole, small / whole, bound=name))


def gathering(folder: Path) -> None:
    """Random rows from the map against random rows from memory."""
    mapped = open_store(folder / "whole")["features"][: ROWS // 4]
    resident = mapped.copy()
    pick = np.random.default_rng(1).integers(0, len(mapped), 4096)
    taken, bound = seconds(lambda: mapped[pick].sum(), 9), seconds(lambda: resident[pick].sum(), 9)
    name = "gathering from an array in memory"
    record(Row("store", "gathering 4,096 rows", "", None, taken, bound / taken, bound=name))


def sharing(folder: Path) -> None:
    """Memory that each of two readers has for itself."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    readers = [context.Process(target=memory_of_a_reader, args=(str(folder / "whole"), answer)) for _ in range(2)]
    for reader in readers:
        reader.start()
    gained = max(answer.get(timeout=120) for _ in readers)
    for reader in readers:
        reader.join()
    share = gained / (ROWS * CHANNELS * 4)
    print(f"memory of a reader's own: {gained / 2**20:.1f} MiB, {share:.4f} of the features' size")


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as place:
        for measure in (packing, opening, gathering, sharing):
            measure(Path(place))


if __name__ == "__main__":
    main()
