"""Pseudo-labels from the labels of nearest neighbours (An Action Is Worth Multiple Words, BMVC 2022, section 3.1).

The search is exact: FAISS proposes candidates in single precision, or bounded products do
(:mod:`methods.recognition.parts.neighbour_bounds`), their distances are computed again in double precision, and a row
is settled only when no row outside its candidates can be nearer. Equal distances go to the lower
row number, so the answer does not depend on threads, batch sizes or the machine. A query that is itself a row of the
source is left out by its number; exact duplicates of it stay.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from methods.recognition.parts import neighbour_kernels as kernels
from methods.recognition.parts.neighbour_bounds import all_nearest
from methods.recognition.parts.neighbour_cells import nearest_in_cells
from suite.errors import UsageError
from suite.method import Tell, nobody

ROUNDING = 1e-5  # bound on the relative error of FAISS's single-precision squared distances, larger than any seen
BLOCK = 4096  # rows searched at a time
HELD = 65_536  # rows that are searched in at once
BOUNDED = 2048, 128  # rows and channels from which all rows are searched by bounded products


def nearest(
    source: np.ndarray,
    k: int,
    query: np.ndarray | None = None,
    *,
    rows: np.ndarray | None = None,
    metric: str = "euclidean",
    tell: Tell = nobody,
) -> np.ndarray:
    """Row numbers (Q, k) of the ``k`` nearest rows of ``source`` (N, D), nearest first.

    Queries are the source itself, where no row is its own neighbour (all rows, or those numbered ``rows``), or other
    features ``query`` (Q, D). ``metric`` is ``euclidean``, or ``cosine``, which scales rows to unit length first (the
    published procedure does not). ``tell`` hears how far a long search is. Raises :class:`UsageError` when there are
    fewer than ``k`` rows to choose from.
    """
    source = _prepared(source, metric)
    itself = np.arange(len(source)) if rows is None else rows
    if query is None:
        queries, available = source if rows is None else source[rows], len(source) - 1
    else:
        queries, itself, available = _prepared(query, metric), np.full(len(query), -1), len(source)
    if not 0 < k <= available:
        raise UsageError(f"{k} neighbours were requested from {available} rows; choose 1 to {available}.")
    if query is None and rows is None and len(source) >= BOUNDED[0] and source.shape[1] >= BOUNDED[1]:
        found, unsettled = all_nearest(np.ascontiguousarray(source), k, tell)
        if len(unsettled):
            found[unsettled] = nearest(source, k, rows=unsettled)
        return found
    centre = source.mean(axis=0, dtype=np.float64).astype(source.dtype)  # short vectors lose less to rounding
    starts = range(0, len(queries), BLOCK)
    blocks = (_block(source, centre, queries[s : s + BLOCK], itself[s : s + BLOCK], k) for s in starts)
    return np.concatenate([np.empty((0, k), dtype=np.int64), *blocks])


def _block(source: np.ndarray, centre: np.ndarray, queries: np.ndarray, itself: np.ndarray, k: int) -> np.ndarray:
    """The neighbours of a block of queries: more and more candidates for those that are not settled."""
    found = np.empty((len(queries), k), dtype=np.int64)
    unsettled, width = np.arange(len(queries)), min(len(source), k + 17)
    while len(unsettled):
        part = queries[unsettled]
        centred = _single(part - centre)
        squares = np.square(centred, dtype=np.float64).sum(axis=1)
        candidates = _candidates(source, centre, centred, width)
        chosen, settled = _settle(source, part, squares, itself[unsettled], candidates, k)
        found[unsettled[settled]] = chosen[settled]
        unsettled, width = unsettled[~settled], min(len(source), 4 * width)
    return found


def approximate(source: np.ndarray, k: int, probes: int, metric: str = "euclidean") -> np.ndarray:
    """As :func:`nearest` for all rows of ``source``, but among the rows of ``probes`` of about √N cells.

    Measure what it misses with :func:`recall`. Rows for which the cells hold too few neighbours are searched exactly.
    """
    prepared = _prepared(source, metric)
    found, short = nearest_in_cells(np.ascontiguousarray(prepared), k, probes)
    if len(short):
        found[short] = nearest(prepared, k, rows=short)
    return found


def random_others(count: int, k: int, seed: int) -> np.ndarray:
    """Row numbers (N, k) of ``k`` different other rows for each of ``count`` rows, drawn at random: a control."""
    if not 0 < k < count:
        raise UsageError(f"{k} neighbours were requested from {count - 1} rows; choose 1 to {count - 1}.")
    generator = np.random.default_rng([seed, count, k])
    rows = np.stack([generator.choice(count - 1, k, replace=False) for _ in range(count)])
    return rows + (rows >= np.arange(count)[:, None])  # leaves out the row itself


def recall(found: np.ndarray, truth: np.ndarray) -> float:
    """Share of the true neighbours ``truth`` (Q, k) that are among ``found`` (Q, k)."""
    return float(np.mean([len(np.intersect1d(a, b)) for a, b in zip(found, truth, strict=True)]) / truth.shape[1])


def label_counts(
    neighbours: np.ndarray, labels: np.ndarray, classes: int, k: int | np.ndarray | None = None
) -> np.ndarray:
    """(Q, C) how many of the first ``k`` neighbours (one number, or one per row; all by default) carry each label."""
    rows = np.broadcast_to(np.arange(len(neighbours))[:, None], neighbours.shape)
    first = neighbours.shape[1] if k is None else k
    counted = np.arange(neighbours.shape[1])[None, :] < np.broadcast_to(np.asarray(first), len(neighbours))[:, None]
    counts = np.zeros((len(neighbours), classes), dtype=np.int64)
    np.add.at(counts, (rows[counted], labels[neighbours][counted]), 1)
    return counts


def label_shares(neighbours: np.ndarray, targets: np.ndarray, known: np.ndarray, k: np.ndarray) -> np.ndarray:
    """(Q, C) share of each class among the first ``k`` (Q,) neighbours of a row about which it is known.

    ``targets`` (N, C) in [0, 1] is what the neighbours carry: a neighbour of which a class is unknown has no vote in
    it, neither for nor against. 0 where no neighbour has one. With single labels and all known these are the counts of
    :func:`label_counts` divided by ``k``.
    """
    votes, voters = np.zeros((2, len(neighbours), targets.shape[1]))
    for place in range(neighbours.shape[1]):
        asked = (place < k)[:, None] & known[neighbours[:, place]]
        voters += asked
        votes += np.where(asked, targets[neighbours[:, place]], 0.0)
    return votes / np.maximum(voters, 1)


@lru_cache(maxsize=4096)
def votes_needed(k: int, tau: float) -> int:
    """The smallest count with ``count / k > tau``, strictly; ``k + 1`` (never reached) when ``tau`` is 1 or more.

    Dividing rounds once, so k = 10 and τ = 0.3 needs 4 votes, as written; comparing with ``tau * k`` would not.
    """
    return int(np.count_nonzero(np.arange(k + 1) / k <= tau))


def pseudo_labels(counts: np.ndarray, labels: np.ndarray, k: int | np.ndarray, tau: float | np.ndarray) -> np.ndarray:
    """(Q, C) bool: classes with more than ``tau`` of the ``k`` votes, without the row's own label (section 3.1).

    ``k`` and ``tau`` are one number, or one per row (settings per class, taken by the row's label).
    """
    rows = np.broadcast_arrays(k, tau, labels)[:2]
    needed = np.array([votes_needed(int(k_row), float(tau_row)) for k_row, tau_row in zip(*rows, strict=True)])
    pseudo = counts >= needed[:, None]
    pseudo[np.arange(len(labels)), labels] = False
    return pseudo


def class_confusion(counts: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """(C, C) neighbour label counts added up by the class of the query, rows normalized to 1 (0 without queries)."""
    total = np.zeros((classes, classes))
    np.add.at(total, labels, counts)
    return total / np.maximum(total.sum(axis=1, keepdims=True), 1)


def _prepared(rows: np.ndarray, metric: str) -> np.ndarray:
    """Rows as distances are measured on them: as they are, or of unit length in double precision."""
    rows = np.asarray(rows)
    if metric != "cosine":
        return rows if rows.dtype in (np.float32, np.float64) else rows.astype(np.float32)
    rows = rows.astype(np.float64)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def _single(rows: np.ndarray) -> np.ndarray:
    """Rows as FAISS takes them."""
    return np.ascontiguousarray(rows, dtype=np.float32)


def _candidates(source: np.ndarray, centre: np.ndarray, centred: np.ndarray, width: int) -> np.ndarray:
    """Rows (Q, width) of ``source`` that single precision says are nearest to the queries ``centred`` (Q, D)."""
    import faiss

    lengths, rows = np.empty((2, len(centred), 0))
    for start in range(0, len(source), HELD):  # a copy of part of the source, never of all
        part = _single(source[start : start + HELD] - centre)
        near, found = faiss.knn(centred, part, min(width, len(part)))
        lengths, rows = np.concatenate([lengths, near], axis=1), np.concatenate([rows, found + start], axis=1)
        best = np.argsort(lengths, axis=1, kind="stable")[:, :width]
        lengths, rows = np.take_along_axis(lengths, best, axis=1), np.take_along_axis(rows, best, axis=1)
    return rows.astype(np.int64)


def _settle(
    source: np.ndarray, queries: np.ndarray, squares: np.ndarray, itself: np.ndarray, candidates: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The first ``k`` candidates of each row by exact distance, and whether nothing outside them can be nearer.

    ``squares`` are the rows' squared lengths as FAISS saw them: its rounding grows with them.
    """
    distances = kernels.distances(source, queries, candidates)
    last = distances.max(axis=1)  # FAISS returned everything nearer than this, up to rounding
    distances[candidates == itself[:, None]] = np.inf
    order = np.lexsort((candidates, distances))[:, :k]
    chosen = np.take_along_axis(candidates, order, axis=1)
    kth = np.take_along_axis(distances, order, axis=1)[:, -1]
    everything = candidates.shape[1] == len(source)
    return chosen, (kth < last - ROUNDING * (2 * (squares + kth) + last)) | everything
