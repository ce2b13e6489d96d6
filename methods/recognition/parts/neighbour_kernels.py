"""Compiled loops of the neighbour search: bounds of rounded rows, candidates within a limit, exact distances."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from suite.evaluate.compiling import compiled

LANES = 256  # sums side by side, a power of two
SLACK = 1e-12  # relative; far more than double precision loses in a bound


class Known(NamedTuple):
    """Rows as they are multiplied: their ``bits`` in bfloat16 (N, D), the squared lengths of these (N,), and how far
    rounding ``moved`` each at most (N,)."""

    bits: np.ndarray
    squares: np.ndarray
    moved: np.ndarray


class Limits(NamedTuple):
    """How far off a sum of products is at most: ``factor`` times both lengths, and ``least`` beside it; a product of a
    block is further off by ``kept`` times itself. ``moved`` and ``longest``: the maxima of that and of the lengths."""

    factor: float
    least: float
    kept: float
    moved: float
    longest: float


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
def _values(bits: np.ndarray) -> np.ndarray:
    """(D,) float32 of the bits of bfloat16, which are the upper halves of theirs."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


@compiled
def _bounds(a: int, b: int, square: float, beside: float, known: Known, limits: Limits) -> tuple[float, float]:
    """The least and the greatest distance that rows ``a`` and ``b`` can have.

    ``square`` is the squared distance of their rounded forms, from a product that is ``beside`` off beyond its sum.
    """
    _, squares, moved = known
    error = limits.factor * np.sqrt(squares[a] * squares[b]) + limits.least + beside
    error, reach = 2.0 * error + SLACK * (squares[a] + squares[b]), moved[a] + moved[b]
    low = np.sqrt(max(0.0, square - error)) * (1.0 - SLACK) - reach
    return low, np.sqrt(max(0.0, square + error)) * (1.0 + SLACK) + reach


@compiled
def _lower(own: np.ndarray, high: float) -> None:
    """Replace the largest of the bounds ``own`` (k,), a heap with the largest first, by a lower one."""
    place = 0
    while True:
        child = 2 * place + 1
        if child >= len(own):
            break
        if child + 1 < len(own) and own[child + 1] > own[child]:
            child += 1
        if own[child] <= high:
            break
        own[place] = own[child]
        place = child
    own[place] = high


@compiled
def _pruned(row: int, state: State) -> None:
    """Forget the candidates of ``row`` that cannot be neighbours."""
    heap, _, held, other, low = state
    kept = 0
    for place in range(held[row]):
        if low[row, place] <= heap[row, 0]:
            other[row, kept], low[row, kept] = other[row, place], low[row, place]
            kept += 1
    held[row] = kept


@compiled
def _sharpened(row: int, known: Known, limits: Limits, state: State) -> None:
    """Bound the candidates of ``row`` by distances in double precision, and forget those that cannot be neighbours.

    The k smallest upper bounds are those of candidates: whatever was forgotten has a lower bound above them.
    """
    heap, _, held, other, low = state
    lanes, highs, own = np.empty(LANES), np.empty(held[row]), _values(known.bits[row])
    for place in range(held[row]):
        square = _squared_distance(own, _values(known.bits[other[row, place]]), lanes)
        low[row, place], highs[place] = _bounds(row, other[row, place], square, 0.0, known, limits)
    heap[row] = np.sort(highs)[: heap.shape[1]][::-1]
    _pruned(row, state)


@compiled
def _hold(row: int, low: float, high: float, other: int, known: Known, limits: Limits, state: State) -> None:
    """Make ``other`` a candidate of ``row`` and lower the row's limit where its upper bound does so."""
    heap, limit, held, others, lows = state
    if high < heap[row, 0]:
        _lower(heap[row], high)
    room = others.shape[1]
    if held[row] == room:
        _pruned(row, state)
    if held[row] == room and limits.kept > 0.0:
        _sharpened(row, known, limits, state)
    if held[row] == room:
        held[row], limit[row] = -1, -np.inf
        return
    others[row, held[row]], lows[row, held[row]] = other, low
    held[row] += 1
    if heap[row, 0] < np.inf:
        wide, square = heap[row, 0] + known.moved[row] + limits.moved, known.squares[row]
        slack = 2.0 * (limits.factor * np.sqrt(square) * limits.longest + limits.least)
        limit[row] = wide * wide * (1.0 + 4 * SLACK) + slack + SLACK * (square + limits.longest * limits.longest)


@compiled
def _pair(a: int, b: int, product: float, sides: int, known: Known, limits: Limits, state: State) -> None:
    """Make ``b`` a candidate of row ``a``, and with two ``sides`` ``a`` one of ``b``, where their bounds allow it."""
    square = known.squares[a] + known.squares[b] - 2.0 * product
    low, high = _bounds(a, b, square, limits.kept * np.abs(product), known, limits)
    if state.held[a] >= 0 and low <= state.heap[a, 0]:
        _hold(a, low, high, b, known, limits, state)
    if sides > 1 and state.held[b] >= 0 and low <= state.heap[b, 0]:
        _hold(b, low, high, a, known, limits, state)


@compiled
def scan(product: np.ndarray, first: int, second: int, known: Known, limits: Limits, state: State) -> None:
    """Take in the ``product`` of the rows from ``first`` on with those from ``second`` on; equal: with themselves."""
    squares, limit, kept = known.squares, state.limit, limits.kept
    for i in range(product.shape[0]):
        a = first + i
        for j in range(i + 1 if first == second else 0, product.shape[1]):
            b, both = second + j, np.float64(product[i, j])
            square = squares[a] + squares[b] - 2.0 * (both + kept * np.abs(both))
            if square <= limit[a] or square <= limit[b]:
                _pair(a, b, both, 2, known, limits, state)


@compiled
def scan_some(
    product: np.ndarray, some: np.ndarray, others: np.ndarray, known: Known, limits: Limits, state: State
) -> None:
    """As :func:`scan` for the ``product`` of the rows ``some`` (n,) with candidates for them, ``others`` (m,)."""
    squares, limit, kept = known.squares, state.limit, limits.kept
    for i in range(product.shape[0]):
        a = some[i]
        for j in range(product.shape[1]):
            b, both = others[j], np.float64(product[i, j])
            if squares[a] + squares[b] - 2.0 * (both + kept * np.abs(both)) <= limit[a] and a != b:
                _pair(a, b, both, 1, known, limits, state)


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
def ranked(source: np.ndarray, k: int, order: np.ndarray, state: State) -> tuple[np.ndarray, np.ndarray]:
    """The ``k`` candidates (N, k) of each row that are nearest exactly, and the rows (U,) that held too many.

    Rows are taken in the given ``order`` (N,): those with the same candidates one after the other read them once.
    """
    heap, _, held, rows, lows = state
    found, lanes = np.zeros((len(source), k), dtype=np.int64), np.empty(LANES)
    for row in order:
        if held[row] < 0:
            continue
        chosen = np.flatnonzero(lows[row, : held[row]] <= heap[row, 0])
        chosen = chosen[np.argsort(rows[row][chosen])]
        own, low = rows[row][chosen], lows[row][chosen]
        exact = _exact(source, row, own, low, k, lanes)
        found[row] = own[np.argsort(exact, kind="mergesort")[:k]]
    return found, np.flatnonzero(held < 0)
