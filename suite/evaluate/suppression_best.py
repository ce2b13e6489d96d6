"""Soft suppression of which only the best picks of each video are wanted, compiled: the picks and scores of
:mod:`~suite.evaluate.suppression_kernels`, without lowering what is never picked.

Segments are looked at in blocks that lie near each other in time (:mod:`~suite.evaluate.suppression_blocks`). Scores
only fall, so the best score of a block when it was last looked at is an upper bound: a block is looked at when it comes
to the top of its group, and its best is picked where it stays there. A score is the segment's own times
exp(-sum of squared overlaps / sigma), the sum in the order of the picks as in a sweep over all segments, so that
results are equal to the bit. Blocks not looked at yet stand in their order, others in a heap; of equal scores the
earlier place comes first. Several rules are followed video by video, whose segments then stay in the processor's cache.
"""

from __future__ import annotations

import math

import numpy as np

from suite.evaluate.compiling import compiled, inlined
from suite.evaluate.segments import Floats, Ints

SIZE = 32  # of a block: measured on 133,000 and 165,000 candidates beside 8, 16 and 64
MARGIN = 1e-9  # far above the rounding of a logarithm of a score, below which exact scores are compared

# sigma, threshold, slope, strict, least score, plus, pad
Rule = tuple[float, float, float, bool, float, float, float]
# columns, places, bounds and edges of blocks
Table = tuple[Floats, Ints, Floats, Ints]
# For B blocks of G groups: sums of squared overlaps (B, SIZE), infinite where picked; the best score of a block (B,),
# and its place, its column and how many picks it knows (B, 3); heaps of blocks (B,); picks of a group, its next block
# not looked at, and blocks in its heap (G, 3); start and end of the picks of each group (N, 2); numbers of picks that
# come near a block; the score (-2 without any) and the block of a group's next pick (G,) each.
State = tuple[Floats, Floats, Ints, Ints, Ints, Floats, Ints, Floats, Ints]


@inlined
def _rise(heap: Ints, low: int, size: int, top: Floats, of: Ints) -> None:
    """Put the last of the ``size`` blocks of the heap at ``heap[low:]`` in its place."""
    child = size - 1
    block = heap[low + child]
    while child > 0:
        parent = (child - 1) // 2
        above = heap[low + parent]
        if top[above] > top[block] or (top[above] == top[block] and of[above, 0] < of[block, 0]):
            break
        heap[low + child] = above
        child = parent
    heap[low + child] = block


@inlined
def _sink(heap: Ints, low: int, size: int, top: Floats, of: Ints) -> None:
    """Put the first block of the heap in its place."""
    if size < 1:
        return
    parent, block = 0, heap[low]
    while 2 * parent + 1 < size:
        child = 2 * parent + 1
        below = heap[low + child]
        if child + 1 < size:
            other = heap[low + child + 1]
            if top[other] > top[below] or (top[other] == top[below] and of[other, 0] < of[below, 0]):
                child, below = child + 1, other
        if top[block] > top[below] or (top[block] == top[below] and of[block, 0] < of[below, 0]):
            break
        heap[low + parent] = below
        parent = child
    heap[low + parent] = block


@inlined
def _best(
    block: int, columns: Floats, place: Ints, total: Floats, top: Floats, of: Ints, sigma: float, floor: float
) -> None:
    """Note the best score of a block, ``of`` its place and column; -1 where all are picked.

    Logarithms say which can be the best; an exponential is taken of those that are near it, of all below ``floor``.
    """
    share = 1.0 / sigma
    one, two, three, four = -np.inf, -np.inf, -np.inf, -np.inf
    for k in range(0, SIZE, 4):
        one = max(one, columns[block, 2, k] - total[block, k] * share)
        two = max(two, columns[block, 2, k + 1] - total[block, k + 1] * share)
        three = max(three, columns[block, 2, k + 2] - total[block, k + 2] * share)
        four = max(four, columns[block, 2, k + 3] - total[block, k + 3] * share)
    most = max(max(one, two), max(three, four))
    least = most - MARGIN if most > floor else -np.inf
    count, column = 0, -1
    for k in range(SIZE):
        near = columns[block, 2, k] - total[block, k] * share >= least
        count += near
        column = max(column, k if near else -1)
    if count == 1:
        top[block] = columns[block, 3, column] * math.exp(-total[block, column] / sigma)
        of[block, 0], of[block, 1] = place[block, column], column
        return
    top[block] = -1.0
    for k in range(SIZE):
        if columns[block, 2, k] - total[block, k] * share >= least and total[block, k] < np.inf:
            value = columns[block, 3, k] * math.exp(-total[block, k] / sigma)
            if value > top[block]:  # columns stand in the order of places: the first of equals wins
                top[block] = value
                of[block, 0], of[block, 1] = place[block, k], k


@inlined
def _look(
    block: int, low: int, new: bool, picks: int, rule: Rule, columns: Floats, place: Ints, bounds: Floats, floor: float,
    total: Floats, top: Floats, of: Ints, picked: Floats, near: Ints,
) -> float:  # fmt: skip
    """The best score of a block after all ``picks`` of its group; the picks of the group begin at ``low``."""
    sigma, threshold, slope, strict, _, plus, pad = rule
    if new:
        of[block, 2] = 0
        for k in range(SIZE):
            total[block, k] = 0.0
    count = 0
    for k in range(low + of[block, 2], low + picks):
        near[count] = k
        count += min(picked[k, 1], bounds[block, 1]) - max(picked[k, 0], bounds[block, 0]) + plus > 0.0
    for one in range(count):
        left, right = picked[near[one], 0], picked[near[one], 1]
        length, bar = right - left + plus + pad, threshold + slope * (right - left)
        bar = np.nextafter(bar, np.inf) if strict else bar  # what is above the one reaches the other
        for k in range(SIZE):  # becomes vector instructions
            start, end = columns[block, 0, k], columns[block, 1, k]
            shared = min(right, end) - max(left, start) + plus
            overlap = shared / (length + end - start + plus + pad - shared)
            square = overlap * overlap if shared > 0.0 else 0.0
            total[block, k] += square if overlap >= bar else 0.0
    _best(block, columns, place, total, top, of, sigma, floor)
    of[block, 2] = picks
    return top[block]


@compiled
def _video(
    groups: tuple[int, int], limit: int, rule: Rule, table: Table, second: Floats, floor: float, edges: Ints,
    state: State, rows: Ints, reached: Floats, found: int,
) -> int:  # fmt: skip
    """Write the picks of a video at ``found``; where they end."""
    columns, place, bounds, blocks = table
    total, top, of, heap, counts, picked, near, best, chosen = state
    least = rule[4]
    for group in range(groups[0], groups[1]):
        first = blocks[group]
        best[group], chosen[group] = columns[first, 3, 0], first
        of[first, 1] = 0
        counts[group, 0], counts[group, 1], counts[group, 2] = 0, first, 0
    for _ in range(limit):
        group, most = -1, -1.0
        for one in range(groups[0], groups[1]):
            if best[one] > most:
                group, most = one, best[one]
        if group < 0:
            break
        block, low, begin, end = chosen[group], edges[group], blocks[group], blocks[group + 1]
        column = of[block, 1]
        rows[found], reached[found] = place[block, column], most
        found += 1
        best[group] = -2.0
        if counts[group, 0] == 0 and second[group] < least:
            continue
        fresh, size, picks = counts[group, 1], counts[group, 2], counts[group, 0] + 1
        picked[low + picks - 1, 0], picked[low + picks - 1, 1] = columns[block, 0, column], columns[block, 1, column]
        if picks == 1:
            for k in range(SIZE):
                total[block, k] = 0.0
            top[block], of[block, 0], of[block, 2] = most, place[block, 0], 0
            heap[begin], fresh, size = block, begin + 1, 1
        total[block, column] = np.inf
        while True:
            block = heap[begin] if size > 0 else -1
            new = fresh < end and columns[fresh, 3, 0] >= least
            if new and size > 0:
                ahead = columns[fresh, 3, 0]
                new = ahead > top[block] or (ahead == top[block] and place[fresh, 0] < of[block, 0])
            if not new and (size == 0 or of[block, 2] == picks):
                break
            block = fresh if new else block
            value = _look(block, low, new, picks, rule, columns, place, bounds, floor, total, top, of, picked, near)
            stays = value >= 0.0 and value >= least
            if new:
                fresh += 1
                heap[begin + size] = block
                size += stays
                if stays:
                    _rise(heap, begin, size, top, of)
            else:
                size -= not stays
                heap[begin] = block if stays else heap[begin + size]
                _sink(heap, begin, size, top, of)
        counts[group, 0], counts[group, 1], counts[group, 2] = picks, fresh, size
        if size > 0:
            best[group], chosen[group] = top[block], block
    return found


@compiled
def soft_best(
    table: Table, second: Floats, floor: float, edges: Ints, videos: Ints, limits: Ints, rules: Floats
) -> tuple[Ints, Floats, Ints, Ints]:
    """The ``limit`` best picks of each video under each rule, best first; equal scores in the order of groups.

    Args:
        table: of :class:`~suite.evaluate.suppression_blocks.Blocks`: columns, places, bounds, edges.
        second: (G,) the second best score of each group.
        floor: a logarithm above which a score is far from the smallest numbers.
        edges: (G + 1,) group g holds the places ``edges[g]:edges[g + 1]``, best first.
        videos: (V + 1,) video v holds the groups ``videos[v]:videos[v + 1]``.
        limits: (S,) picks a video.
        rules: (S, 7) sigma, threshold, slope, strict, least score, plus, pad, as in ``soft``.

    Returns:
        places and scores; where those of each rule begin and end (S,).
    """
    room = np.zeros(len(limits) + 1, dtype=np.int64)
    for one in range(len(limits)):
        for video in range(len(videos) - 1):
            room[one + 1] += min(limits[one], edges[videos[video + 1]] - edges[videos[video]])
    begin = np.cumsum(room)
    rows, reached, ends = np.empty(begin[-1], dtype=np.int64), np.empty(begin[-1]), begin[:-1].copy()
    count, groups = len(table[2]), len(edges) - 1
    state = (
        np.empty((count, SIZE)), np.empty(count), np.empty((count, 3), dtype=np.int64),
        np.empty(count, dtype=np.int64), np.empty((groups, 3), dtype=np.int64),
        np.empty((edges[-1], 2)), np.empty(edges[-1] + 1, dtype=np.int64),
        np.empty(groups), np.empty(groups, dtype=np.int64),
    )  # fmt: skip
    for video in range(len(videos) - 1):
        both = (videos[video], videos[video + 1])
        for one in range(len(limits)):
            own = rules[one]
            rule = (own[0], own[1], own[2], own[3] > 0.0, own[4], own[5], own[6])
            ends[one] = _video(both, limits[one], rule, table, second, floor, edges, state, rows, reached, ends[one])
    return rows, reached, begin[:-1].copy(), ends
