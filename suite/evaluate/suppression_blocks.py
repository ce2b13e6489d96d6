"""Segments of ranked groups in blocks of such as lie near each other in time: what soft suppression looks at together.

Segments near each other lose their scores together, so that a block of them comes to the top of its group far less
often than they would one by one; and what is computed of a block is computed by vector instructions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suite.evaluate.compiling import compiled
from suite.evaluate.segments import Floats, Ints


@dataclass(frozen=True)
class Blocks:
    """B blocks of ``size`` places each, of G groups; in a group, and in a block, the best place comes first.

    ``columns`` (B, 4, size) start, end, logarithm of the score and score; ``place`` (B, size). A column that holds
    nothing has a score of -1 and overlaps nothing. ``bounds`` (B, 2): first start, last end; ``edges`` (G + 1,): group
    g holds the blocks ``edges[g]:edges[g + 1]``.
    """

    columns: Floats
    place: Ints
    bounds: Floats
    edges: Ints


def blocks_of(start: Floats, end: Floats, score: Floats, edges: Ints, least: float, size: int) -> Blocks:
    """The segments (N,), ranked inside groups, that score at least ``least``, and the best of each group.

    ``edges`` (G + 1,): group g holds the places ``edges[g]:edges[g + 1]``. Scores are not negative.
    """
    with np.errstate(divide="ignore"):
        logarithm = np.log(score)
    counts = _counts(score, edges, least)
    begin = np.concatenate([[0], np.cumsum(-(-counts // size))]).astype(np.int64)
    return Blocks(*_filled(start, end, score, logarithm, edges, counts, begin, size), begin)


@compiled
def _counts(score: Floats, edges: Ints, least: float) -> Ints:
    """(G,) segments of each group that take part."""
    counts = np.empty(len(edges) - 1, dtype=np.int64)
    for group in range(len(counts)):
        low, high = edges[group] + 1, edges[group + 1]
        while low < high:
            middle = (low + high) // 2
            if score[middle] >= least:
                low = middle + 1
            else:
                high = middle
        counts[group] = low - edges[group]
    return counts


@compiled
def _spread(value: int) -> int:
    """Eight bits with a zero after each."""
    value = (value | value << 4) & 0x0F0F
    value = (value | value << 2) & 0x3333
    return (value | value << 1) & 0x5555


@compiled
def _along_curve(start: Floats, end: Floats, order: Ints, spare: Ints, code: Ints) -> None:
    """Fill ``order`` with the segments along a Morton curve through starts and ends, in 256 steps each."""
    low, high = start.min(), end.max()
    scale = 255.0 / (high - low) if high > low else 0.0
    for k in range(len(start)):
        order[k] = k
        left, right = int((start[k] - low) * scale), int((max(end[k], low) - low) * scale)
        code[k] = _spread(min(left, 255)) | _spread(right) << 1
    for shift in (0, 8):
        ends = np.zeros(257, dtype=np.int64)
        for k in range(len(start)):
            ends[(code[k] >> shift & 255) + 1] += 1
        ends = np.cumsum(ends)
        for k in range(len(start)):
            digit = code[order[k]] >> shift & 255
            spare[ends[digit]] = order[k]
            ends[digit] += 1
        for k in range(len(start)):
            order[k] = spare[k]


@compiled
def _filled(
    start: Floats, end: Floats, score: Floats, logarithm: Floats, edges: Ints, counts: Ints, begin: Ints, size: int
) -> tuple[Floats, Ints, Floats]:
    """Columns, places and bounds of the blocks, which begin at ``begin`` in each group."""
    columns, place = np.empty((begin[-1], 4, size)), np.full((begin[-1], size), len(start))
    bounds, used = np.empty((begin[-1], 2)), np.zeros(begin[-1], dtype=np.int64)
    most = counts.max() if len(counts) else 0
    order, spare, code = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    named = np.empty(most // size + 1, np.int64)
    for group in range(len(counts)):
        low, count = edges[group], counts[group]
        if count > size:
            _along_curve(start[low : low + count], end[low : low + count], order[:count], spare[:count], code[:count])
            for k in range(count):
                spare[order[k]] = k // size
        named[: count // size + 1] = -1
        following = begin[group]
        for k in range(count):  # the best first: blocks are numbered by their best, and columns stand by rank
            chunk = spare[k] if count > size else 0
            if named[chunk] < 0:
                named[chunk] = following
                bounds[following, 0], bounds[following, 1] = np.inf, -np.inf
                following += 1
            block, row = named[chunk], low + k
            column = used[block]
            used[block] += 1
            columns[block, 0, column], columns[block, 1, column] = start[row], end[row]
            columns[block, 2, column], columns[block, 3, column] = logarithm[row], score[row]
            place[block, column] = row
            bounds[block, 0] = min(bounds[block, 0], start[row])
            bounds[block, 1] = max(bounds[block, 1], end[row])
    for block in range(len(used)):
        for column in range(used[block], size):
            columns[block, 0, column], columns[block, 1, column] = np.inf, -np.inf
            columns[block, 2, column], columns[block, 3, column] = -np.inf, -1.0
    return columns, place, bounds
