"""CMCS's proposals: one cut through a class signal, dilation, and a contrast to contexts (released code, utils.py)."""

from __future__ import annotations

import numpy as np

CONTEXT = 0.25  # of a run's length, on each side


def dilated(active: np.ndarray, points: int) -> np.ndarray:
    """(P,) bool: every True spreads over ``points`` points; where their number is even, one more to the left."""
    if points < 2:
        return active
    spread = np.convolve(active, np.ones(points, dtype=np.int64))[points // 2 :]
    return np.asarray(spread[: len(active)] > 0)


def context_contrast(signal: np.ndarray, first: np.ndarray, last: np.ndarray, lose_left: bool = False) -> np.ndarray:
    """(N,) mean of ``signal`` (P,) in each run less the mean of its two contexts; without a context the mean alone.

    A context is a quarter of the run, cut to whole points, at least one. What would lie outside the signal is cut off;
    with ``lose_left`` a left context that would begin before it is lost as a whole, as released.
    """
    total = np.concatenate([[0.0], np.cumsum(signal)])
    length = last + 1 - first
    low = np.minimum(np.trunc(first - CONTEXT * length), first - 1).astype(np.int64)
    high = np.maximum(np.trunc(last + 1 + CONTEXT * length), last + 2).astype(np.int64)
    low = np.where(low < 0, first if lose_left else 0, low)
    high = np.minimum(high, len(signal))
    count = (first - low) + (high - last - 1)
    around = total[first] - total[low] + total[high] - total[last + 1]
    outside = np.divide(around, count, out=np.zeros(len(first)), where=count > 0)
    return np.asarray((total[last + 1] - total[first]) / length - outside)
