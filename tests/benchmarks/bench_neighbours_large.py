"""Neighbours at the size of EPIC-KITCHENS, exact, and at ten times that size, approximate with a curve of recall.

``python -m tests.benchmarks.bench_neighbours_large [--times 10] [--queries 500]``; takes an hour, and 11 GB each
of disk and memory. Features are as in :mod:`tests.benchmarks.bench_neighbours`, read from a file as those of a dataset
are. Recall is over ``queries`` rows that are also searched exactly. The exact search of all rows is not run at ten
times the size: its time there is that at EPIC's size by the square of the sizes' ratio.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from methods.recognition.parts.neighbours import approximate, nearest, recall
from tests.benchmarks.bench_neighbours import (
    HALF_OF_PRODUCTS,
    K,
    beside_scikit_learn,
    features,
    half_of_products,
)
from tests.benchmarks.ceilings import READING, reading
from tests.benchmarks.rows import Row, record, timed

EPIC, CHANNELS = 67_217, 4096
PROBES = (1, 2, 4, 8)


def stored(path: Path, times: int) -> np.ndarray:
    """``times`` · EPIC rows of :func:`features`, each part around centres of its own, in a file that is mapped."""
    source = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(times * EPIC, CHANNELS))
    for part in range(times):
        source[part * EPIC : (part + 1) * EPIC] = features(EPIC, CHANNELS, seed=part)
    source.flush()
    return np.load(path, mmap_mode="r")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--queries", type=int, default=500)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = stored(Path(folder) / "features.npy", asked.times)
        nearest(source[:2048], K)  # imports and machine code outside the clock
        exact, found = timed(lambda: nearest(source[:EPIC], K))
        ratio, same = beside_scikit_learn(source[:EPIC], found, exact, asked.queries)
        what, against = f"{EPIC:,} x {CHANNELS:,}, K = {K}, exact", "scikit-learn's exact search"
        share = half_of_products(EPIC, CHANNELS) / exact
        record(Row("neighbours_large", what, against, ratio, exact, share, 4.0, bound=HALF_OF_PRODUCTS))
        print(f"  the same {K} neighbours in {same:.2%} of {asked.queries:,} rows")
        sample = np.linspace(0, len(source) - 1, asked.queries).astype(np.int64)
        truth, exact = nearest(source, K, rows=sample), exact * asked.times**2
        for probes in PROBES:
            spent, found = timed(lambda probes=probes: approximate(source, K, probes))  # type: ignore[misc]
            cells = "1 cell" if probes == 1 else f"{probes} cells"
            what = f"{len(source):,} x {CHANNELS:,}, {cells}, recall {recall(found[sample], truth):.3f}"
            against, share = f"the exact search, about {exact:,.0f} s", reading(source.nbytes) / spent
            record(Row("neighbours_large", what, against, exact / spent, spent, share, bound=READING))


if __name__ == "__main__":
    main()
