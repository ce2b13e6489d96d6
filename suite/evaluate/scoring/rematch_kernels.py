"""Compiled: ranking and matching of rows of a pool whose overlaps with the truth are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suite.evaluate.compiling import compiled
from suite.evaluate.segments import Floats, Ints

Keys = NDArray[np.uint64]


@compiled
def ranked_by_class(rows: Ints, score: Floats, order: Ints, label: Ints, tie: Keys, classes: int) -> tuple[Ints, Ints]:
    """Rows of the pool by class, best first, equal scores by ``tie`` and row; and where classes begin (C + 1,).

    ``order`` (K,) sorts the scores downwards, equal ones anyhow; ``label`` (N,) is the class of each row of the pool,
    -1 for what does not count.
    """
    offsets = np.zeros(classes + 1, dtype=np.int64)
    for row in rows:
        if label[row] >= 0:
            offsets[label[row] + 1] += 1
    offsets = np.cumsum(offsets)
    place, ranked, value = offsets[:-1].copy(), np.empty(offsets[-1], dtype=np.int64), np.empty(offsets[-1])
    for k in order:
        own = label[rows[k]]
        if own >= 0:
            ranked[place[own]], value[place[own]] = rows[k], score[k]
            place[own] += 1
    for own in range(classes):
        begin = offsets[own]
        while begin < offsets[own + 1]:
            end = begin + 1
            while end < offsets[own + 1] and value[end] == value[begin]:
                end += 1
            if end - begin > 1:
                _settle(ranked[begin:end], tie)
            begin = end
    return ranked, offsets


@compiled
def _settle(run: Ints, tie: Keys) -> None:
    """Sort rows of one score by ``tie``, then row."""
    run[:] = run[np.argsort(tie[run])]
    for k in range(1, len(run)):
        at = k
        while at > 0 and tie[run[at - 1]] == tie[run[at]] and run[at - 1] > run[at]:
            run[at - 1], run[at] = run[at], run[at - 1]
            at -= 1


@compiled
def hits_of(
    ranked: Ints,
    offsets: Ints,
    first: Ints,
    truth: Ints,
    overlap: Floats,
    truths: int,
    thresholds: Floats,
    strict: bool,
    take_first: bool,
) -> tuple[Ints, Floats]:
    """How many rows of each class find a ground truth (T, C), and how many of the class before each of them do not.

    Matching is that of :func:`suite.evaluate.kernels.match_by_detection`. The row r of the pool overlaps
    ``truth[first[r]:first[r + 1]]``, in ascending order, by ``overlap``. The second array (T, K) is filled from the
    begin of each class on.
    """
    hits, wrong = np.zeros((len(thresholds), len(offsets) - 1), np.int64), np.empty((len(thresholds), len(ranked)))
    taken = np.zeros((len(thresholds), truths), dtype=np.bool_)
    for own in range(len(offsets) - 1):
        for k in range(offsets[own], offsets[own + 1]):
            low, high = first[ranked[k]], first[ranked[k] + 1]
            if low == high:
                continue
            for level in range(len(thresholds)):
                least, best, choice = thresholds[level], -1.0, -1
                for pair in range(low, high):
                    value = overlap[pair]
                    reaches = value > least if strict else value >= least
                    if reaches and value > best and not taken[level, truth[pair]] and not (take_first and choice >= 0):
                        best, choice = value, truth[pair]
                if choice >= 0:
                    taken[level, choice] = True
                    found = hits[level, own]
                    wrong[level, offsets[own] + found] = k - offsets[own] - found
                    hits[level, own] = found + 1
    return hits, wrong
