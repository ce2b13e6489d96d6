"""Soft suppression of which only the best picks of each video are wanted, compiled: the picks and scores of
:mod:`~suite.evaluate.suppression_kernels`, without lowering what is never picked.

Scores only fall, so a stale score is an upper bound: a segment is lowered by the picks of its group when it comes to
the top of the group, and picked where it stays there. Each score is multiplied by the same factors in the same order
as in a sweep over all of them, so that results are equal to the bit. Segments not looked at yet stand in their sorted
order, those lowered before in a heap; both give the earlier place first where scores are equal.
"""

from __future__ import annotations

import math

import numpy as np

from suite.evaluate.compiling import compiled
from suite.evaluate.segments import Floats, Ints

Rule = tuple[bool, float, float, float, bool, float, float, float]


@compiled
def _before(score: Floats, place: int, other: int) -> bool:
    return score[place] > score[other] or (score[place] == score[other] and place < other)


@compiled
def _rise(heap: Ints, low: int, size: int, score: Floats) -> None:
    """Put the last of the ``size`` entries of the heap at ``heap[low:]`` in its place."""
    child = size - 1
    while child > 0:
        parent = (child - 1) // 2
        if not _before(score, heap[low + child], heap[low + parent]):
            return
        heap[low + child], heap[low + parent] = heap[low + parent], heap[low + child]
        child = parent


@compiled
def _sink(heap: Ints, low: int, size: int, score: Floats) -> None:
    """Put the first entry of the heap in its place."""
    parent = 0
    while 2 * parent + 1 < size:
        child = 2 * parent + 1
        if child + 1 < size and _before(score, heap[low + child + 1], heap[low + child]):
            child += 1
        if not _before(score, heap[low + child], heap[low + parent]):
            return
        heap[low + child], heap[low + parent] = heap[low + parent], heap[low + child]
        parent = child


@compiled
def _lowered(value: float, start: float, end: float, picked_start: Floats, picked_end: Floats, rule: Rule) -> float:
    """A score after some picks in a row, or -1 where it fell below the least score on the way."""
    gaussian, sigma, threshold, slope, strict, min_score, plus, pad = rule
    for pick in range(len(picked_start)):
        left, right = picked_start[pick], picked_end[pick]
        shared = min(right, end) - max(left, start) + plus
        if shared > 0.0:
            overlap = shared / (right - left + plus + pad + end - start + plus + pad - shared)
            bar = threshold + slope * (right - left)
            if overlap > bar or (overlap == bar and not strict):
                value *= math.exp(-overlap * overlap / sigma) if gaussian else 1.0 - overlap
        if value < min_score:
            return -1.0
    return value


@compiled
def _next_pick(
    group: int,
    start: Floats,
    end: Floats,
    score: Floats,
    edges: Ints,
    heap: Ints,
    size: Ints,
    fresh: Ints,
    seen: Ints,
    picked_start: Floats,
    picked_end: Floats,
    picks: int,
    rule: Rule,
) -> int:
    """The place that a group picks next, or -1; ``fresh`` is the first place not looked at, ``seen`` picks applied."""
    low, high = edges[group], edges[group + 1]
    while size[group] > 0 or fresh[group] < high:
        new = fresh[group] < high and (size[group] == 0 or _before(score, fresh[group], heap[low]))
        place = fresh[group] if new else heap[low]
        after = slice(low + seen[place], low + picks)
        value = _lowered(score[place], start[place], end[place], picked_start[after], picked_end[after], rule)
        seen[place] = picks
        gone = value < 0.0 or value == score[place]  # fallen out, or picked
        found = gone and value >= 0.0
        score[place] = value if not gone else score[place]
        if new:
            fresh[group] += 1
            if not gone:
                heap[low + size[group]] = place
                size[group] += 1
                _rise(heap, low, size[group], score)
        else:
            if gone:
                size[group] -= 1
                heap[low] = heap[low + size[group]]
            _sink(heap, low, size[group], score)
        if found:
            return place
    return -1


@compiled
def soft_best(
    start: Floats, end: Floats, score: Floats, edges: Ints, videos: Ints, limit: int, rule: Rule
) -> tuple[Ints, Floats]:
    """The ``limit`` best picks of each video, best first, and their scores; equal scores in the order of groups.

    Args:
        start, end, score: (N,) segments; group g holds ``edges[g]:edges[g + 1]``, best first. ``score`` is used up.
        edges: (G + 1,).
        videos: (V + 1,) video v holds the groups ``videos[v]:videos[v + 1]``.
        limit: picks a video.
        rule: whether decay is Gaussian, sigma, threshold, slope, strict, least score, plus, pad, as in ``soft``.
    """
    rows, reached, found = np.empty(len(start), dtype=np.int64), np.empty(len(start)), 0
    heap, size = np.empty(len(start), dtype=np.int64), np.zeros(len(edges) - 1, dtype=np.int64)
    seen, fresh = np.zeros(len(start), dtype=np.int64), edges[:-1] + 1  # the best of a group is picked as it is
    picked_start, picked_end = np.empty(len(start)), np.empty(len(start))
    count, ready = np.zeros(len(edges) - 1, dtype=np.int64), edges[:-1].copy()
    for video in range(len(videos) - 1):
        for _ in range(limit):
            group, top = -1, -1.0
            for one in range(videos[video], videos[video + 1]):
                if ready[one] >= 0 and score[ready[one]] > top:
                    group, top = one, score[ready[one]]
            if group < 0:
                break
            place, slot = ready[group], edges[group] + count[group]
            rows[found], reached[found] = place, top
            found += 1
            picked_start[slot], picked_end[slot] = start[place], end[place]
            count[group] += 1
            ready[group] = _next_pick(
                group, start, end, score, edges, heap, size, fresh, seen, picked_start, picked_end, count[group], rule
            )
    return rows[:found], reached[:found]
