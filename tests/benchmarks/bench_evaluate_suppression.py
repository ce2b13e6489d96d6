"""Soft-NMS of 20 classes x 5,000 segments: numba beside vectorized NumPy and torch, measured in one run.

Run with ``python -m tests.benchmarks.bench_evaluate_suppression``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np

from suite.evaluate.suppression import hard_nms, soft_nms
from tests.benchmarks.ceilings import SORTING, sorting
from tests.benchmarks.rows import Row, record, timed

CLASSES, SEGMENTS, SIGMA, LEAST = 20, 5_000, 0.5, 0.001
AIM = 0.5  # seconds


def candidates(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Segments on a feature grid of 2,304 cells, their scores skewed to low values, and their class."""
    generator = np.random.default_rng(seed)
    count = CLASSES * SEGMENTS
    start = generator.uniform(0, 2304, count)
    length = generator.exponential(30, count) + 1
    return start, start + length, generator.random(count) ** 3, np.repeat(np.arange(CLASSES), SEGMENTS)


def with_numpy(start: np.ndarray, end: np.ndarray, score: np.ndarray) -> list[float]:
    """One vectorized sweep a pick."""
    picked = []
    while len(score):
        best = int(score.argmax())
        left, right, top = start[best], end[best], score[best]
        picked.append(float(top))
        shared = np.maximum(0.0, np.minimum(right, end) - np.maximum(left, start))
        overlap = shared / (right - left + end - start - shared)
        score = score * np.exp(-(overlap**2) / SIGMA)
        alive = score >= LEAST
        alive[best] = False
        start, end, score = start[alive], end[alive], score[alive]
    return picked


def with_torch(start: np.ndarray, end: np.ndarray, score: np.ndarray) -> list[float]:
    """The same sweep on tensors."""
    import torch

    torch.set_num_threads(1)
    begin, finish, value = (torch.from_numpy(column.copy()) for column in (start, end, score))
    picked = []
    while len(value):
        best = int(value.argmax())
        left, right = begin[best], finish[best]
        picked.append(float(value[best]))
        shared = (torch.minimum(right, finish) - torch.maximum(left, begin)).clamp(min=0)
        overlap = shared / (right - left + finish - begin - shared)
        value = value * torch.exp(-(overlap**2) / SIGMA)
        alive = value >= LEAST
        alive[best] = False
        begin, finish, value = begin[alive], finish[alive], value[alive]
    return picked


def measured(work: Callable[[], Any], repeats: int = 3) -> tuple[float, Any]:
    """Least CPU seconds of some runs (the machine may be shared), and the result of that run."""
    return min((timed(work) for _ in range(repeats)), key=itemgetter(0))


def main() -> None:
    start, end, score, label = candidates()
    soft_nms(start[:2], end[:2], score[:2])
    hard_nms(start[:2], end[:2], score[:2], 0.5)
    compiled, (_, ours) = measured(lambda: soft_nms(start, end, score, sigma=SIGMA, min_score=LEAST, group=label))
    bound, soft = sorting(score), f"soft-NMS of {CLASSES} x {SEGMENTS:,} segments"
    busy, rows = measured(lambda: hard_nms(start, end, score, 0.5, group=label))
    what = f"hard NMS of the same, {len(rows):,} kept"
    record(Row("evaluate_suppression", what, "", None, busy, bound / busy, bound=SORTING))
    classes, share = 2, bound / compiled
    for name, sweep in (("NumPy", with_numpy), ("torch", with_torch)):
        clock = time.process_time()
        theirs = [
            value for place in range(classes) for value in sweep(*(c[label == place] for c in (start, end, score)))
        ]
        elapsed = (time.process_time() - clock) * CLASSES / classes
        gap = np.abs(np.array(theirs) - ours[: len(theirs)]).max()
        against, ratio = f"{name}, one vectorized sweep a pick", elapsed / compiled
        aim = AIM if name == "NumPy" else None
        record(Row("evaluate_suppression", soft, against, ratio, compiled, share, least=aim, bound=SORTING))
        print(f"  from {classes} classes; scores differ by {gap:.0e}")


if __name__ == "__main__":
    main()
