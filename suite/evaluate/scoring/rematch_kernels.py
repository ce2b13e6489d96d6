"""Compiled: ranking and matching of rows of a pool whose overlaps with the truth are known."""

from __future__ import annotations

import numpy as np

from suite.evaluate.compiling import compiled
from suite.evaluate.segments import Floats, Ints, Verdicts


@compiled
def ranked_by_class(rows: Ints, score: Floats, label: Ints, tie: Ints, classes: int) -> tuple[Ints, Ints]:
    """Rows of the pool by class, best first, equal scores by ``tie``; and where classes begin (C + 1,).

    ``label`` (N,) is the class of each row of the pool, -1 for what does not count.
    """
    offsets = np.zeros(classes + 1, dtype=np.int64)
    for row in rows:
        if label[row] >= 0:
            offsets[label[row] + 1] += 1
    offsets = np.cumsum(offsets)
    place, ranked, value = offsets[:-1].copy(), np.empty(offsets[-1], dtype=np.int64), np.empty(offsets[-1])
    for k in range(len(rows)):
        own = label[rows[k]]
        if own >= 0:
            ranked[place[own]], value[place[own]] = rows[k], -score[k]
            place[own] += 1
    for own in range(classes):
        stretch = slice(offsets[own], offsets[own + 1])
        order = np.argsort(value[stretch])
        ranked[stretch], value[stretch] = ranked[stretch][order], value[stretch][order]
        for k in range(offsets[own] + 1, offsets[own + 1]):
            at = k
            while at > offsets[own] and value[at - 1] == value[at] and tie[ranked[at - 1]] > tie[ranked[at]]:
                ranked[at - 1], ranked[at] = ranked[at], ranked[at - 1]
                at -= 1
    return ranked, offsets


@compiled
def verdicts_of(
    ranked: Ints,
    first: Ints,
    truth: Ints,
    overlap: Floats,
    truths: int,
    thresholds: Floats,
    strict: bool,
    take_first: bool,
    missed: int,
) -> Verdicts:
    """(T, K) what becomes of each ranked row, as :func:`suite.evaluate.kernels.match_by_detection` decides it.

    The row r of the pool overlaps ``truth[first[r]:first[r + 1]]``, in ascending order, by ``overlap``.
    """
    verdict = np.full((len(thresholds), len(ranked)), missed, dtype=np.int32)
    taken = np.zeros((len(thresholds), truths), dtype=np.bool_)
    for level in range(len(thresholds)):
        least = thresholds[level]
        for k in range(len(ranked)):
            best, choice = -1.0, -1
            for pair in range(first[ranked[k]], first[ranked[k] + 1]):
                value = overlap[pair]
                reaches = value > least if strict else value >= least
                if reaches and value > best and not taken[level, truth[pair]] and not (take_first and choice >= 0):
                    best, choice = value, truth[pair]
            if choice >= 0:
                taken[level, choice] = True
                verdict[level, k] = choice
    return verdict
