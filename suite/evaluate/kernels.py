"""Inner loops of the detection evaluators, compiled by numba and cached on disk.

Why numba: matching is sequential (each match locks a ground truth), so NumPy can only vectorize inside one video and
class. Measured in one run on two shared cores, 42,000 predictions of THUMOS size at 5 thresholds: a loop over
predictions with NumPy inside 1.12 s, these loops with all sorting 0.019 s (``tests/benchmarks/bench_evaluate.py``).

A verdict is one integer for a detection at a threshold: the row of the ground truth it matched (>= 0), FALSE_POSITIVE,
or IGNORED (counts neither way).
"""

from __future__ import annotations

import numpy as np

from suite.evaluate.compiling import compiled
from suite.evaluate.segments import Bools, Floats, Ints, Verdicts

FALSE_POSITIVE = -1
IGNORED = -2


@compiled
def overlap(start: float, end: float, other_start: float, other_end: float) -> float:
    """Temporal intersection over union of two segments; 0 where the union is not positive."""
    shared = max(0.0, min(end, other_end) - max(start, other_start))
    union = (end - start) + (other_end - other_start) - shared
    return shared / union if union > 0.0 else 0.0


@compiled
def match_by_detection(
    truth_start: Floats,
    truth_end: Floats,
    low: Ints,
    high: Ints,
    start: Floats,
    end: Floats,
    thresholds: Floats,
    strict: bool,
    take_first: bool,
) -> Verdicts:
    """Each detection in turn takes a free ground truth of its group (rows ``low:high``).

    The one with the highest tIoU (ties: the first row), or with ``take_first`` the first that reaches the threshold.

    Returns:
        (T, N) sorted-truth row or FALSE_POSITIVE.
    """
    count = len(thresholds)
    verdict = np.full((count, len(start)), FALSE_POSITIVE, dtype=np.int32)
    taken = np.zeros((count, len(truth_start)), dtype=np.bool_)
    best = np.empty(count)
    for row in range(len(start)):
        best[:] = -1.0
        for truth in range(low[row], high[row]):
            value = overlap(start[row], end[row], truth_start[truth], truth_end[truth])
            for level in range(count):
                reaches = value > thresholds[level] if strict else value >= thresholds[level]
                if not reaches or taken[level, truth] or value <= best[level] or (take_first and best[level] >= 0.0):
                    continue
                best[level] = value
                verdict[level, row] = truth
        for level in range(count):
            if verdict[level, row] >= 0:
                taken[level, verdict[level, row]] = True
    return verdict


@compiled
def overlaps(
    truth_start: Floats, truth_end: Floats, low: Ints, high: Ints, start: Floats, end: Floats, least: float
) -> tuple[Ints, Ints, Floats]:
    """All tIoUs of at least ``least`` (> 0) between each detection and the ground truths of its group ``low:high``.

    Returns:
        where those of each detection begin (N + 1,), and the ground truth and tIoU of each, in that order.
    """
    first = np.zeros(len(start) + 1, dtype=np.int64)
    for row in range(len(start)):
        for truth in range(low[row], high[row]):
            first[row + 1] += overlap(start[row], end[row], truth_start[truth], truth_end[truth]) >= least
    first = np.cumsum(first)
    which, value, place = np.empty(first[-1], dtype=np.int64), np.empty(first[-1]), 0
    for row in range(len(start)):
        for truth in range(low[row], high[row]):
            shared = overlap(start[row], end[row], truth_start[truth], truth_end[truth])
            if shared >= least:
                which[place], value[place] = truth, shared
                place += 1
    return first, which, value


@compiled
def match_by_truth(
    truth_start: Floats,
    truth_end: Floats,
    low: Ints,
    high: Ints,
    members: Ints,
    start: Floats,
    end: Floats,
    thresholds: Floats,
    strict: bool,
) -> Verdicts:
    """Each ground truth in turn takes the free detection of its group with the highest tIoU (ties: the better score).

    ``members[low[g]:high[g]]`` are the detections of ground truth g's group in descending score.

    Returns:
        (T, N) sorted-truth row or FALSE_POSITIVE.
    """
    verdict = np.full((len(thresholds), len(start)), FALSE_POSITIVE, dtype=np.int32)
    for level in range(len(thresholds)):
        for truth in range(len(truth_start)):
            best, choice = -1.0, -1
            for place in range(low[truth], high[truth]):
                row = members[place]
                value = overlap(start[row], end[row], truth_start[truth], truth_end[truth])
                if verdict[level, row] == FALSE_POSITIVE and value > best:
                    best, choice = value, row
            if choice >= 0 and (best > thresholds[level] or (not strict and best == thresholds[level])):
                verdict[level, choice] = truth
    return verdict


@compiled
def touches(low: Ints, high: Ints, start: Floats, end: Floats, other_start: Floats, other_end: Floats) -> Bools:
    """(N,) whether a segment shares any time with one of the others in rows ``low:high``."""
    found = np.zeros(len(start), dtype=np.bool_)
    for row in range(len(start)):
        for other in range(low[row], high[row]):
            if min(end[row], other_end[other]) > max(start[row], other_start[other]):
                found[row] = True
                break
    return found


@compiled
def match_boxes(
    truth_box: Floats, low: Ints, high: Ints, box: Floats, order: Ints, threshold: float, plus: float
) -> Verdicts:
    """Each detection looks only at the ground truth with the highest IoU (ties: the first row); a second claim fails.

    ``order`` is the sequence in which detections claim. Returns (N,) sorted-truth row or FALSE_POSITIVE.
    """
    verdict = np.full(len(box), FALSE_POSITIVE, dtype=np.int32)
    taken = np.zeros(len(truth_box), dtype=np.bool_)
    for row in order:
        best, choice = -1.0, -1
        area = (box[row, 2] - box[row, 0] + plus) * (box[row, 3] - box[row, 1] + plus)
        for truth in range(low[row], high[row]):
            wide = min(box[row, 2], truth_box[truth, 2]) - max(box[row, 0], truth_box[truth, 0]) + plus
            tall = min(box[row, 3], truth_box[truth, 3]) - max(box[row, 1], truth_box[truth, 1]) + plus
            shared = max(0.0, wide) * max(0.0, tall)
            other = (truth_box[truth, 2] - truth_box[truth, 0] + plus) * (
                truth_box[truth, 3] - truth_box[truth, 1] + plus
            )
            union = area + other - shared
            value = shared / union if union > 0.0 else 0.0
            if value > best:
                best, choice = value, truth
        if choice >= 0 and best >= threshold and not taken[choice]:
            taken[choice] = True
            verdict[row] = choice
    return verdict


@compiled
def first_ranks(
    truth_start: Floats,
    truth_end: Floats,
    low: Ints,
    high: Ints,
    members: Ints,
    start: Floats,
    end: Floats,
    thresholds: Floats,
) -> Ints:
    """(T, G) rank inside its group of the best-scored detection that reaches each ground truth; a huge number if none.

    Groups as in :func:`match_by_truth`. Nothing is locked: one detection may reach several ground truths.
    """
    ranks = np.full((len(thresholds), len(truth_start)), np.iinfo(np.int64).max)
    for truth in range(len(truth_start)):
        for place in range(low[truth], high[truth]):
            row = members[place]
            value = overlap(start[row], end[row], truth_start[truth], truth_end[truth])
            for level in range(len(thresholds)):
                if value >= thresholds[level] and ranks[level, truth] > place - low[truth]:
                    ranks[level, truth] = place - low[truth]
    return ranks


@compiled
def best_of_any(
    truth_start: Floats,
    truth_end: Floats,
    truth_label: Ints,
    low: Ints,
    high: Ints,
    start: Floats,
    end: Floats,
    label: Ints,
) -> tuple[Floats, Bools]:
    """Highest tIoU (N,) with any of the rows ``low:high``, and whether a row of the own label reaches it."""
    best, own = np.zeros(len(start)), np.zeros(len(start), dtype=np.bool_)
    for row in range(len(start)):
        for truth in range(low[row], high[row]):
            value = overlap(start[row], end[row], truth_start[truth], truth_end[truth])
            same = truth_label[truth] == label[row]
            if value > best[row] or (value == best[row] and same):
                best[row], own[row] = value, same
    return best, own
