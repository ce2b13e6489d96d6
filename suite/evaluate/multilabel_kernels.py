"""Compiled loops of multi-label metrics.

A label is among the k best classes of a clip where fewer than k come before it, so nothing is sorted for that: a clip
has few labels. For AP a class is sorted once, by value alone; all else follows from how many scores reach those of its
positives.
"""

from __future__ import annotations

import numpy as np

from suite.evaluate.compiling import compiled
from suite.evaluate.segments import Bools, Floats, Ints


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
def _of_positives(values: Floats, present: Bools) -> tuple[Floats, Ints]:
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


@compiled
def areas(values: Floats, present: Bools, ascending: Floats, unknown: Ints, missed: int) -> Floats:
    """(C,) area under the precision envelope of each class, -1 without a positive.

    Args:
        values, present: (N, C) scores, -inf where the truth is unknown, and positives.
        ascending: (C, N) the scores of each class, sorted.
        unknown: (C,) clips whose truth is unknown.
        missed: positives of each class that have no score.
    """
    found, first = _of_positives(values, present)
    area = np.full(len(ascending), -1.0)
    for label in range(len(ascending)):
        own = np.sort(found[first[label] : first[label + 1]])
        count = len(own)
        if count + missed <= 0:
            continue
        envelope, best = np.empty(count), 0.0
        for place in range(count):
            # Equal scores enter together: at the end of a tie, all positives from its first on have been met.
            if place == 0 or own[place] != own[place - 1]:
                seen = len(values) - np.searchsorted(ascending[label], own[place])
                if own[place] == -np.inf:
                    seen -= unknown[label]
                best = max(best, (count - place) / max(seen, 1))
            envelope[place] = best
        total = 0.0
        for place in range(count - 1, -1, -1):
            total += envelope[place]
        area[label] = total / max(count + missed, 1)
    return area
