"""Compiled loops of multi-label metrics.

A label is among the k best classes of a clip where fewer than k come before it, so nothing is sorted for that: a clip
has few labels. Nor are the scores of a class for its AP, which follows from how many of them reach those of its
positives: those are sorted, and each score finds its place among them by a table.
"""

from __future__ import annotations

import numpy as np

from suite.evaluate.compiling import compiled, inlined
from suite.evaluate.segments import Bools, Floats, Ints

PARTS = 8  # of the range of the scores of positives, for each of them


@compiled
def labels_among_best(values: Floats, present: Bools, wanted: Ints) -> Ints:
    """(N,) labels of a clip among its ``wanted`` (N,) best classes, of equal scores the lowest index first."""
    found = np.zeros(len(values), dtype=np.int64)
    for clip in range(len(values)):
        row = values[clip]
        for label in range(len(row)):
            if present[clip, label]:
                value, before = row[label], 0
                for other in range(label):
                    before += row[other] >= value
                for other in range(label + 1, len(row)):
                    before += row[other] > value
                found[clip] += before < wanted[clip]
    return found


@compiled
def set_sizes(values: Floats, present: Bools, threshold: float) -> tuple[Ints, Ints, Ints]:
    """(N,) each: classes that are predicted and present, predicted, present."""
    shared, predicted, labels = (
        np.zeros(len(values), dtype=np.int64),
        np.zeros(len(values), dtype=np.int64),
        np.zeros(len(values), dtype=np.int64),
    )
    for clip in range(len(values)):
        both, one, other = 0, 0, 0
        for label in range(values.shape[1]):
            reaches, there = values[clip, label] >= threshold, present[clip, label]
            both += reaches & there
            one += reaches
            other += there
        shared[clip], predicted[clip], labels[clip] = both, one, other
    return shared, predicted, labels


@compiled
def of_positives(values: Floats, present: Bools) -> tuple[Floats, Ints]:
    """The scores of the positives, class by class, and where those of each class begin (C + 1,)."""
    first = np.zeros(values.shape[1] + 1, dtype=np.int64)
    for clip in range(len(values)):
        for label in range(values.shape[1]):
            first[label + 1] += present[clip, label]
    first = np.cumsum(first)
    place, found = first[:-1].copy(), np.empty(first[-1])
    for clip in range(len(values)):
        for label in range(values.shape[1]):
            if present[clip, label]:
                found[place[label]] = values[clip, label]
                place[label] += 1
    return found, first


@inlined
def _cell(value: float, low: float, high: float, scale: float, cells: int) -> int:
    """Which of the ``cells`` equal parts of ``low`` to ``high`` holds a value, the first and last those beyond."""
    return min(int((0.5 * min(max(value, low), high) - 0.5 * low) * scale), cells - 1)  # halves do not overflow


@compiled
def _reaching(column: Floats, own: Floats, table: Ints, counts: Ints) -> None:
    """Fill ``counts`` (P + 1,) with how many of the scores (N,) reach at least so many of ``own`` (P,), which ascend.

    ``table`` (T + 1,): the scores of ``own`` below each of T equal parts of their range, so that a score is compared
    with those of its own part alone.
    """
    cells, low, high = len(table) - 1, np.inf, -np.inf
    for value in own:
        if np.abs(value) < np.inf:
            low, high = min(low, value), max(high, value)
    low, high = (low, high) if low <= high else (0.0, 0.0)
    span = 0.5 * high - 0.5 * low
    scale = cells / span if span > 0.0 else 0.0
    scale = scale if scale < np.inf else 0.0  # one part for all where the range is next to nothing
    table[:] = 0
    for value in own:
        table[_cell(value, low, high, scale, cells) + 1] += 1
    for cell in range(cells):
        table[cell + 1] += table[cell]
    counts[:] = 0
    for value in column:
        cell = _cell(value, low, high, scale, cells)
        first, last = table[cell], table[cell + 1]
        while first < last:  # the number of ``own`` that the value reaches is between the two
            middle = (first + last) // 2
            if own[middle] <= value:
                first = middle + 1
            else:
                last = middle
        counts[first] += 1
    for place in range(len(own) - 1, -1, -1):
        counts[place] += counts[place + 1]


@compiled
def areas(columns: Floats, found: Floats, first: Ints, unknown: Ints, missed: int) -> Floats:
    """(C,) area under the precision envelope of each class, -1 without a positive.

    Args:
        columns: (C, N) scores, -inf where the truth is unknown.
        found, first: of :func:`of_positives`, the scores of each class ascending.
        unknown: (C,) clips whose truth is unknown.
        missed: positives of each class that have no score.
    """
    area = np.full(len(columns), -1.0)
    for label in range(len(columns)):
        own = found[first[label] : first[label + 1]]
        count = len(own)
        if count + missed <= 0:
            continue
        envelope, best, seen = np.empty(count), 0.0, np.empty(count + 1, dtype=np.int64)
        _reaching(columns[label], own, np.empty(PARTS * count + 2, dtype=np.int32), seen)
        for place in range(count):
            # Equal scores enter together: at the end of a tie, all positives from its first on have been met.
            if place == 0 or own[place] != own[place - 1]:
                met = seen[place + 1] - (unknown[label] if own[place] == -np.inf else 0)
                best = max(best, (count - place) / max(met, 1))
            envelope[place] = best
        total = 0.0
        for place in range(count - 1, -1, -1):
            total += envelope[place]
        area[label] = total / max(count + missed, 1)
    return area
