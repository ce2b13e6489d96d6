"""How long the exact neighbour search takes beside a plain one, and what the approximate one gives up.

Run with ``python -m tests.benchmarks.bench_neighbours``. All times are of one run on one machine, so
the ratios mean something and the seconds do not. The plain search is what NumPy does without an index: all distances of
a block of rows in double precision, sorted by (distance, row).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from methods.recognition.parts.neighbours import approximate, nearest, recall

K, ROWS, CHANNELS = 15, 6000, 512
BLOCK = 256


def plain(source: np.ndarray, k: int) -> np.ndarray:
    """(N, k) neighbours by brute force in double precision."""
    rows = source.astype(np.float64)
    squares = np.square(rows).sum(axis=1)
    found = np.empty((len(rows), k), dtype=np.int64)
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        distances = squares[part, None] + squares - 2 * rows[part] @ rows.T
        block = np.arange(start, min(start + BLOCK, len(rows)))
        distances[np.arange(len(block)), block] = np.inf
        found[part] = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return found


def timed(function: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Seconds and result of one call."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def main() -> None:
    """Print ratios for clustered features, as those of a trained backbone are."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(100, CHANNELS))
    noise = generator.normal(size=(ROWS, CHANNELS))
    features = (centres[generator.integers(0, 100, ROWS)] + noise).astype(np.float32)
    nearest(features[:100], K)  # imports and threads start outside the clock
    exact_seconds, exact = timed(lambda: nearest(features, K))
    plain_seconds, brute = timed(lambda: plain(features, K))
    print(f"{ROWS} rows, {CHANNELS} channels, K = {K}")
    print(f"exact search agrees with brute force: {recall(exact, brute):.6f} of the neighbours")
    print(f"brute force / exact search: {plain_seconds / exact_seconds:.1f}")
    for probes in (1, 4, 16):
        seconds, found = timed(lambda probes=probes: approximate(features, K, probes))  # type: ignore[misc]
        ratio = exact_seconds / seconds
        print(f"exact / approximate with {probes} cells: {ratio:.1f}, recall {recall(found, exact):.3f}")


if __name__ == "__main__":
    main()
