"""The exact neighbour search beside scikit-learn's, and what the approximate one gives up.

``python -m tests.benchmarks.bench_neighbours [--rows 20000] [--channels 4096] [--queries 1000] [--curve 20000]``.
Features are clustered, as those of a trained backbone are. Times are CPU seconds of one run. scikit-learn's exact
search is asked for ``queries`` of the rows and its time scaled to all of them, to which it is proportional; the
neighbours of those rows are compared one by one. The ceiling is half a product of all rows with all rows in bfloat16,
at the rate that this machine reaches; the approximate search could do with less, but has to read the rows. ``curve``
rows of 256 channels (0: none) are searched approximately, with the recall of each setting.
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.neighbors import NearestNeighbors

from methods.recognition.parts.neighbours import approximate, nearest, recall
from tests.benchmarks.ceilings import HALF, READING, products, reading
from tests.benchmarks.rows import Row, record, timed

K = 15
HALF_OF_PRODUCTS = f"half of {HALF}"


def features(rows: int, channels: int, clusters: int = 100, seed: int = 0) -> np.ndarray:
    """(N, D) rows around centres that are as far apart as rows are from their centre."""
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((clusters, channels), dtype=np.float32)
    made = generator.standard_normal((rows, channels), dtype=np.float32)
    made += centres[generator.integers(0, clusters, rows)]
    return made


def half_of_products(rows: int, channels: int) -> float:
    """Seconds of the products of all rows with all others in bfloat16, each of two rows once."""
    return products(rows * rows * channels, half=True)


def exact(rows: int, channels: int, queries: int) -> None:
    """Time of all rows, its ratio to scikit-learn's, and whether the neighbours are the same."""
    source = features(rows, channels)
    nearest(source[:2048], K)  # imports and machine code outside the clock
    seconds, found = timed(lambda: nearest(source, K))
    ratio, same = beside_scikit_learn(source, found, seconds, queries)
    share = half_of_products(rows, channels) / seconds
    what, against = f"{rows:,} x {channels:,}, K = {K}, exact", "scikit-learn's exact search"
    record(Row("neighbours", what, against, ratio, seconds, share, 4.0, bound=HALF_OF_PRODUCTS))
    print(f"  the same {K} neighbours in {same:.2%} of {min(queries, rows):,} rows")


def beside_scikit_learn(source: np.ndarray, found: np.ndarray, seconds: float, queries: int) -> tuple[float, float]:
    """How many times its ``seconds`` an exact search for all rows takes, and in how many rows both ``found`` the same.

    scikit-learn searches for ``queries`` of the rows.
    """
    asked = np.linspace(0, len(source) - 1, min(queries, len(source))).astype(np.int64)
    index = NearestNeighbors(n_neighbors=K + 1, algorithm="brute").fit(source)
    plain, near = timed(lambda: np.asarray(index.kneighbors(source[asked], return_distance=False)))
    others = np.array([row[row != own][:K] for row, own in zip(near, asked)])
    same = np.mean([np.array_equal(np.sort(a), np.sort(b)) for a, b in zip(found[asked], others)])
    return plain * len(source) / len(asked) / seconds, float(same)


def curve(rows: int) -> None:
    """Recall and time of approximate searches over ``rows`` rows of 256 channels."""
    source = features(rows, 256)
    seconds, truth = timed(lambda: nearest(source, K))
    for probes in (1, 2, 4, 8, 16):
        spent, found = timed(lambda probes=probes: approximate(source, K, probes))  # type: ignore[misc]
        what = f"{rows:,} x 256, {probes} cells, recall {recall(found, truth):.3f}"
        share = reading(source.nbytes) / spent
        record(Row("neighbours", what, "the exact search", seconds / spent, spent, share, bound=READING))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--channels", type=int, default=4096)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--curve", type=int, default=20_000)
    asked = parser.parse_args()
    exact(asked.rows, asked.channels, asked.queries)
    if asked.curve:
        curve(asked.curve)


if __name__ == "__main__":
    main()
