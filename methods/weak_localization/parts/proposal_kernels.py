"""Compiled: the runs of an activation sequence above each of several thresholds, and their outer-inner contrast.

The same operations in the same order as :func:`~methods.weak_localization.parts.proposals.runs_above` and
:func:`~methods.weak_localization.parts.proposals.outer_inner_contrast` threshold by threshold, equal to the bit.
"""

from __future__ import annotations

import numpy as np

from suite.evaluate.compiling import compiled, inlined


@inlined
def _passed(value: float, levels: np.ndarray, strict: bool, before: int) -> int:
    """How many of the ascending ``levels`` a value is above, looked for from the number ``before`` on."""
    # Only positive points, even at threshold 0: as in BaSNet, whose runs are what is above zero after zeroing.
    if not value > 0.0:
        return 0
    count = before
    while count < len(levels) and (value > levels[count] if strict else value >= levels[count]):
        count += 1
    while count > 0 and not (value > levels[count - 1] if strict else value >= levels[count - 1]):
        count -= 1
    return count


@compiled
def _runs(signal: np.ndarray, levels: np.ndarray, strict: bool, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Write the runs of points above each of S ascending ``levels`` into (S, most); returns how many each has, (S,)."""
    # One pass for all levels: from one point to the next a signal seldom crosses any.
    count, inside = np.zeros(len(levels), dtype=np.int64), 0
    for point in range(len(signal)):
        now = _passed(signal[point], levels, strict, inside)
        for level in range(inside, now):
            first[level, count[level]] = point
        for level in range(now, inside):
            last[level, count[level]] = point - 1
            count[level] += 1
        inside = now
    for level in range(inside):
        last[level, count[level]] = len(signal) - 1
        count[level] += 1
    for level in range(len(levels)):
        if count[level] == 1 and last[level, 0] == 0:  # the first point alone is no run
            count[level] = 0
    return count


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
    points, order = len(signal), np.argsort(levels)
    firsts = np.empty((len(levels), points // 2 + 1), dtype=np.int64)
    lasts = np.empty_like(firsts)
    counts = _runs(signal, levels[order], strict, firsts, lasts)
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    first, last, score = np.empty(counts.sum(), np.int64), np.empty(counts.sum(), np.int64), np.empty(counts.sum())
    total, count = np.zeros(points + 1), 0
    for which in range(len(levels)):
        if which == 0 or zeroed:
            _add_up(signal, levels[which], strict, zeroed, total)
        place = places[which]
        for run in range(counts[place]):
            begin, end = firsts[place, run], lasts[place, run]
            length = end - begin + 1
            low = max(0, int(np.trunc(begin - outer * length)))
            high = min(points - 1, int(np.trunc(end + outer * length)))
            inner = total[end + 1] - total[begin]
            around = total[high + 1] - total[low] - inner
            beside = (high - low + 1) - length
            first[count], last[count] = begin, end
            score[count] = inner / length - (around / beside if beside > 0 else 0.0)
            count += 1
    return first, last, score
