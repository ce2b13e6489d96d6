"""Compiled: the runs of an activation sequence above each of several thresholds, and their outer-inner contrast.

The same operations in the same order as :func:`~methods.weak_localization.parts.proposals.runs_above` and
:func:`~methods.weak_localization.parts.proposals.outer_inner_contrast` threshold by threshold, equal to the bit.
"""

from __future__ import annotations

import numpy as np

from suite.evaluate.compiling import compiled


@compiled
def _runs(signal: np.ndarray, level: float, strict: bool, first: np.ndarray, last: np.ndarray, begin: int) -> int:
    """Write the runs of points above ``level`` from place ``begin`` on; returns the place after the last one."""
    count, inside = begin, False
    for point in range(len(signal)):
        # Only positive points, even at threshold 0: as in BaSNet, whose runs are what is above zero after zeroing.
        above = signal[point] > 0.0 and (signal[point] > level if strict else signal[point] >= level)
        if above and not inside:
            first[count] = point
        if inside and not above:
            last[count] = point - 1
            count += 1
        inside = above
    if inside:
        last[count] = len(signal) - 1
        count += 1
    return begin if count == begin + 1 and last[begin] == 0 else count  # the first point alone is no run


@compiled
def _add_up(signal: np.ndarray, level: float, strict: bool, zeroed: bool, total: np.ndarray) -> None:
    """The sums ``total`` (P + 1,) of the points before each place; with ``zeroed`` of those above ``level`` alone."""
    running = 0.0
    for point in range(len(signal)):
        value = signal[point]
        if not zeroed or (value > 0.0 and (value > level if strict else value >= level)):
            running += value
        total[point + 1] = running


@compiled
def scored_runs(
    signal: np.ndarray, levels: np.ndarray, strict: bool, zeroed: bool, outer: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First and last point and contrast of each run, (N,) each, threshold after threshold.

    Args:
        signal: (P,).
        levels: (S,) thresholds.
        strict: whether a point must exceed the threshold.
        zeroed: whether contrast is taken on the signal with all below the threshold set to 0.
        outer: length of the outer region on each side, as a share of the run.
    """
    points = len(signal)
    most = len(levels) * (points // 2 + 1)
    first, last, score = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64), np.empty(most)
    total, count = np.zeros(points + 1), 0
    for which in range(len(levels)):
        begin, count = count, _runs(signal, levels[which], strict, first, last, count)
        if which == 0 or zeroed:
            _add_up(signal, levels[which], strict, zeroed, total)
        for run in range(begin, count):
            length = last[run] - first[run] + 1
            low = max(0, int(np.trunc(first[run] - outer * length)))
            high = min(points - 1, int(np.trunc(last[run] + outer * length)))
            inner = total[last[run] + 1] - total[first[run]]
            around = total[high + 1] - total[low] - inner
            beside = (high - low + 1) - length
            score[run] = inner / length - (around / beside if beside > 0 else 0.0)
    return first[:count].copy(), last[:count].copy(), score[:count].copy()
