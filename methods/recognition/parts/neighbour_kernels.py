"""Compiled loops of the neighbour search: bounds of rounded rows, candidates within a limit, exact distances."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from suite.evaluate.compiling import compiled

LANES = 256  # sums side by side, a power of two
SLACK = 1e-12  # relative; far more than double precision loses in a bound


class State(NamedTuple):
    """Of each row the ``k`` smallest upper bounds (N, k) as a heap with the largest first, and its candidates.

    ``limit`` (N,) is the squared product distance up to which a pair is looked at; ``held`` (N,) candidates are in
    ``row`` and ``low`` (N, room), their numbers and lower bounds; -1 stands for a row with too many.
    """

    heap: np.ndarray
    limit: np.ndarray
    held: np.ndarray
    row: np.ndarray
    low: np.ndarray


def empty_state(rows: int, k: int, room: int) -> State:
    """Nothing found yet."""
    count = np.zeros(rows, dtype=np.int64)
    heap, limit = np.full((rows, k), np.inf), np.full(rows, np.inf)
    return State(heap, limit, count, np.empty((rows, room), dtype=np.int32), np.empty((rows, room)))


@compiled
def _folded(lanes: np.ndarray) -> float:
    """The sum of ``lanes`` (LANES,), which are lost, by halves: one order on every machine, whatever its vectors."""
    half = len(lanes) // 2
    while half:
        for t in range(half):
            lanes[t] += lanes[half + t]
        half //= 2
    return lanes[0]


@compiled
def _squared_distance(left: np.ndarray, right: np.ndarray, lanes: np.ndarray) -> float:
    """Squared distance of two rows (D,) in double precision; ``lanes`` is room for (LANES,) sums."""
    lanes[:] = 0.0
    size = len(lanes)
    whole = len(left) // size * size
    for start in range(0, whole, size):
        a, b = left[start : start + size], right[start : start + size]
        for t in range(size):
            difference = np.float64(a[t]) - np.float64(b[t])
            lanes[t] += difference * difference
    for t in range(len(left) - whole):
        difference = np.float64(left[whole + t]) - np.float64(right[whole + t])
        lanes[t] += difference * difference
    return _folded(lanes)


@compiled
def distances(source: np.ndarray, queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Squared distances (Q, n) of each query (Q, D) to its ``candidates`` (Q, n), rows of ``source``."""
    found, lanes = np.empty(candidates.shape), np.empty(LANES)
    for query in range(len(queries)):
        for place in range(candidates.shape[1]):
            found[query, place] = _squared_distance(queries[query], source[candidates[query, place]], lanes)
    return found


@compiled
def lengths(source: np.ndarray, centre: np.ndarray, rounded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared lengths (N,) of ``rounded`` (N, D), and (N,) how far each is from its row of ``source`` - ``centre``."""
    squares, moved = np.empty(len(source)), np.empty(len(source))
    square, error, size = np.empty((3, len(centre)))
    for row in range(len(source)):
        own, near = source[row], rounded[row]
        for t in range(len(centre)):
            value, middle, kept = np.float64(own[t]), np.float64(centre[t]), np.float64(near[t])
            square[t] = kept * kept
            error[t] = ((value - middle) - kept) ** 2
            size[t] = value * value + middle * middle
        squares[row] = square.sum()
        moved[row] = np.sqrt(error.sum()) * (1.0 + 1e-9) + 2.0**-48 * np.sqrt(size.sum())
    return squares, moved


@compiled
def _hold(row: int, low: float, high: float, other: int, heap: np.ndarray, count: np.ndarray, rows: np.ndarray,
          lows: np.ndarray) -> None:  # fmt: skip
    """Make ``other`` a candidate of ``row`` and lower the row's limit where its upper bound does so."""
    own, k = heap[row], heap.shape[1]
    if high < own[0]:  # sift down: the largest of the k smallest stays first
        place = 0
        while True:
            child = 2 * place + 1
            if child >= k:
                break
            if child + 1 < k and own[child + 1] > own[child]:
                child += 1
            if own[child] <= high:
                break
            own[place] = own[child]
            place = child
        own[place] = high
    if count[row] == rows.shape[1]:
        kept = 0
        for place in range(count[row]):
            if lows[row, place] <= own[0]:
                rows[row, kept], lows[row, kept] = rows[row, place], lows[row, place]
                kept += 1
        count[row] = kept
    if count[row] == rows.shape[1]:
        count[row] = -1
    else:
        rows[row, count[row]], lows[row, count[row]] = other, low
        count[row] += 1


@compiled
def _pair(a: int, b: int, product: float, squares: np.ndarray, moved: np.ndarray, factor: float, least: float,
          most_moved: float, longest: float, sides: int, heap: np.ndarray, limit: np.ndarray, count: np.ndarray,
          rows: np.ndarray, lows: np.ndarray) -> None:  # fmt: skip
    """Make ``b`` a candidate of row ``a``, and with two ``sides`` ``a`` one of ``b``, where their bounds allow it."""
    square = squares[a] + squares[b] - 2.0 * product
    error = 2.0 * (factor * np.sqrt(squares[a] * squares[b]) + least) + SLACK * (squares[a] + squares[b])
    reach = moved[a] + moved[b]
    low = np.sqrt(max(0.0, square - error)) * (1.0 - SLACK) - reach
    high = np.sqrt(max(0.0, square + error)) * (1.0 + SLACK) + reach
    for side in range(sides):
        row, other = (a, b) if side == 0 else (b, a)
        if count[row] < 0 or low > heap[row, 0]:
            continue
        _hold(row, low, high, other, heap, count, rows, lows)
        if count[row] < 0:
            limit[row] = -np.inf
        elif high < np.inf:
            wide = heap[row, 0] + moved[row] + most_moved
            slack = 2.0 * (factor * np.sqrt(squares[row]) * longest + least)
            limit[row] = wide * wide * (1.0 + 4 * SLACK) + slack + SLACK * (squares[row] + longest * longest)


@compiled
def scan(product: np.ndarray, first: int, second: int, squares: np.ndarray, moved: np.ndarray, factor: float,
         least: float, most_moved: float, longest: float, heap: np.ndarray, limit: np.ndarray, count: np.ndarray,
         rows: np.ndarray, lows: np.ndarray) -> None:  # fmt: skip
    """Take in the ``product`` of the rows from ``first`` on with those from ``second`` on; equal: with themselves.

    It is off by at most ``factor`` times both lengths plus ``least``; ``most_moved`` and ``longest`` are the maxima of
    ``moved`` and of the lengths.
    """
    for i in range(product.shape[0]):
        a = first + i
        for j in range(i + 1 if first == second else 0, product.shape[1]):
            b, both = second + j, np.float64(product[i, j])
            square = squares[a] + squares[b] - 2.0 * both
            if square > limit[a] and square > limit[b]:
                continue
            _pair(a, b, both, squares, moved, factor, least, most_moved, longest, 2, heap, limit, count, rows, lows)


@compiled
def scan_some(product: np.ndarray, some: np.ndarray, others: np.ndarray, squares: np.ndarray, moved: np.ndarray,
              factor: float, least: float, most_moved: float, longest: float, heap: np.ndarray, limit: np.ndarray,
              count: np.ndarray, rows: np.ndarray, lows: np.ndarray) -> None:  # fmt: skip
    """As :func:`scan` for the ``product`` of the rows ``some`` (n,) with candidates for them, ``others`` (m,)."""
    for i in range(product.shape[0]):
        a = some[i]
        for j in range(product.shape[1]):
            b, both = others[j], np.float64(product[i, j])
            if squares[a] + squares[b] - 2.0 * both <= limit[a] and a != b:
                _pair(a, b, both, squares, moved, factor, least, most_moved, longest, 1, heap, limit, count, rows, lows)


@compiled
def _exact(source: np.ndarray, row: int, own: np.ndarray, low: np.ndarray, k: int, lanes: np.ndarray) -> np.ndarray:
    """Squared distances (n,) of ``row`` to its candidates ``own``; inf where ``low`` says that ``k`` are nearer."""
    exact, best = np.full(len(own), np.inf), np.full(k, np.inf)
    for place in np.argsort(low):
        if low[place] > np.sqrt(best[k - 1]) * (1.0 + SLACK):
            break
        exact[place] = _squared_distance(source[row], source[own[place]], lanes)
        slot = k - 1
        if exact[place] < best[slot]:
            while slot > 0 and best[slot - 1] > exact[place]:
                best[slot] = best[slot - 1]
                slot -= 1
            best[slot] = exact[place]
    return exact


@compiled
def ranked(source: np.ndarray, k: int, order: np.ndarray, heap: np.ndarray, limit: np.ndarray, count: np.ndarray,
           rows: np.ndarray, lows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """The ``k`` candidates (N, k) of each row that are nearest exactly, and the rows (U,) that held too many.

    Rows are taken in the given ``order`` (N,): those with the same candidates one after the other read them once.
    """
    found, lanes = np.zeros((len(source), k), dtype=np.int64), np.empty(LANES)
    for row in order:
        if count[row] < 0:
            continue
        chosen = np.flatnonzero(lows[row, : count[row]] <= heap[row, 0])
        chosen = chosen[np.argsort(rows[row][chosen])]
        own, low = rows[row][chosen], lows[row][chosen]
        exact = _exact(source, row, own, low, k, lanes)
        found[row] = own[np.argsort(exact, kind="mergesort")[:k]]
    return found, np.flatnonzero(count < 0)
