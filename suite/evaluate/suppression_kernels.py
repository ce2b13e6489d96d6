"""Compiled loops of temporal suppression. Each works on one set of segments in descending score.

numba was chosen by measuring 20 classes x 5,000 segments, Gaussian soft-NMS, one thread, CPU seconds in one run: numba
0.23, a vectorized NumPy sweep a pick 0.9, the same on torch tensors 14
(``tests/benchmarks/bench_evaluate_suppression.py``).
"""

from __future__ import annotations

import math

import numpy as np

from suite.evaluate.compiling import compiled
from suite.evaluate.segments import Floats, Ints

GAUSSIAN, LINEAR = 0, 1


@compiled
def pair_overlap(start: float, end: float, other_start: float, other_end: float, plus: float, pad: float) -> float:
    """tIoU with ``plus`` added to both lengths and the intersection, ``pad`` to the lengths only."""
    shared = min(end, other_end) - max(start, other_start) + plus
    if shared <= 0.0:
        return 0.0
    return shared / (end - start + plus + pad + other_end - other_start + plus + pad - shared)


@compiled
def hard(start: Floats, end: Floats, threshold: float, plus: float, pad: float) -> Ints:
    """Rows kept, best first: a row falls when its tIoU with a kept better one reaches the threshold."""
    fallen = np.zeros(len(start), dtype=np.bool_)
    for pick in range(len(start)):
        if fallen[pick]:
            continue
        for row in range(pick + 1, len(start)):
            if not fallen[row]:
                fallen[row] = pair_overlap(start[pick], end[pick], start[row], end[row], plus, pad) >= threshold
    return np.flatnonzero(~fallen)


@compiled
def hard_groups(start: Floats, end: Floats, lows: Ints, highs: Ints, threshold: float, plus: float, pad: float) -> Ints:
    """Rows kept of all groups; group g holds the rows ``lows[g]:highs[g]``, best first."""
    kept, count = np.empty(len(start), dtype=np.int64), 0
    for low, high in zip(lows, highs):
        own = hard(start[low:high], end[low:high], threshold, plus, pad)
        kept[count : count + len(own)] = own + low
        count += len(own)
    return kept[:count]


@compiled
def one_shot(
    start: Floats, end: Floats, score: Floats, threshold: float, sigma: float, plus: float
) -> tuple[Ints, Floats]:
    """Keep the best; rows that overlap it leave once, lowered, for the end of the list, and never compete again."""
    gone = np.zeros(len(start), dtype=np.bool_)
    rows, scores = np.empty(len(start), dtype=np.int64), score.copy()
    count, moved = 0, 0
    lowered = np.empty(len(start), dtype=np.int64)
    for pick in range(len(start)):
        if gone[pick]:
            continue
        rows[count] = pick
        count += 1
        for row in range(pick + 1, len(start)):
            if gone[row]:
                continue
            overlap = pair_overlap(start[pick], end[pick], start[row], end[row], plus, 0.0)
            if overlap >= threshold:
                gone[row] = True
                scores[row] = score[row] * math.exp(-overlap * overlap / sigma)
                lowered[moved] = row
                moved += 1
    rows[count:] = lowered[:moved]
    return rows, scores[rows]


@compiled
def one_shot_groups(
    start: Floats, end: Floats, score: Floats, lows: Ints, highs: Ints, threshold: float, sigma: float, plus: float
) -> tuple[Ints, Floats]:
    """:func:`one_shot` in each of the groups ``lows[g]:highs[g]``."""
    rows, scores, count = np.empty(len(start), dtype=np.int64), np.empty(len(start)), 0
    for low, high in zip(lows, highs):
        own, reached = one_shot(start[low:high], end[low:high], score[low:high], threshold, sigma, plus)
        rows[count : count + len(own)] = own + low
        scores[count : count + len(own)] = reached
        count += len(own)
    return rows[:count], scores[:count]


@compiled
def votes(
    start: Floats,
    end: Floats,
    low: Ints,
    high: Ints,
    all_start: Floats,
    all_end: Floats,
    all_score: Floats,
    threshold: float,
    by_overlap: bool,
) -> Floats:
    """(K, 2) boundaries averaged over the candidates ``low:high`` that overlap enough, weighted by score (and tIoU)."""
    refined = np.empty((len(start), 2))
    for row in range(len(start)):
        total, left, right = 0.0, 0.0, 0.0
        for other in range(low[row], high[row]):
            overlap = pair_overlap(start[row], end[row], all_start[other], all_end[other], 0.0, 0.0)
            if overlap >= threshold:
                weight = all_score[other] * overlap if by_overlap else all_score[other]
                total += weight
                left += weight * all_start[other]
                right += weight * all_end[other]
        refined[row, 0] = left / total if total > 0.0 else start[row]
        refined[row, 1] = right / total if total > 0.0 else end[row]
    return refined


@compiled
def soft(
    start: Floats,
    end: Floats,
    score: Floats,
    mode: int,
    sigma: float,
    threshold: float,
    slope: float,
    strict: bool,
    min_score: float,
    limit: int,
    keep_last: bool,
    plus: float,
    pad: float,
) -> tuple[Ints, Floats]:
    """Take the best, lower the others by their overlap with it, drop those below ``min_score``, repeat.

    The pass that lowers scores also finds the next best and closes the gaps, so each pick costs one sweep. The
    arrays are used up. Gaussian factors are one exponential of the sum of squared overlaps, in picking order. Returns
    the rows picked and their scores, in picking order.
    """
    size = len(start)
    row, own, total = np.arange(size), score.copy(), np.zeros(size)
    picked = np.empty(min(size, limit), dtype=np.int64)
    reached = np.empty(min(size, limit))
    count, best = 0, 0
    while size > (0 if keep_last else 1) and count < limit:
        left, right, top = start[best], end[best], score[best]
        picked[count], reached[count] = row[best], top
        count += 1
        length = right - left + plus + pad
        bar = threshold + slope * (right - left)
        alive, next_best, next_score = 0, 0, -np.inf
        for place in range(size):
            if place == best:
                continue
            value = score[place]
            shared = min(right, end[place]) - max(left, start[place]) + plus
            if shared > 0.0:
                overlap = shared / (length + end[place] - start[place] + plus + pad - shared)
                if overlap > bar or (overlap == bar and not strict):
                    total[place] += overlap * overlap
                    value *= 1.0 - overlap
                    if mode == GAUSSIAN:
                        value = own[place] * math.exp(-total[place] / sigma)
            if value < min_score:
                continue
            if value > next_score:
                next_best, next_score = alive, value
            start[alive], end[alive], score[alive], row[alive] = start[place], end[place], value, row[place]
            own[alive], total[alive] = own[place], total[place]
            alive += 1
        size, best = alive, next_best
    return picked[:count], reached[:count]


@compiled
def soft_groups(
    start: Floats,
    end: Floats,
    score: Floats,
    lows: Ints,
    highs: Ints,
    mode: int,
    sigma: float,
    threshold: float,
    slope: float,
    strict: bool,
    min_score: float,
    limit: int,
    keep_last: bool,
    plus: float,
    pad: float,
) -> tuple[Ints, Floats]:
    """:func:`soft` in each of the groups ``lows[g]:highs[g]``; the arrays are used up."""
    rows, scores, count = np.empty(len(start), dtype=np.int64), np.empty(len(start)), 0
    for low, high in zip(lows, highs):
        own, reached = soft(
            start[low:high], end[low:high], score[low:high],
            mode, sigma, threshold, slope, strict, min_score, limit, keep_last, plus, pad,
        )  # fmt: skip
        rows[count : count + len(own)] = own + low
        scores[count : count + len(own)] = reached
        count += len(own)
    return rows[:count], scores[:count]
