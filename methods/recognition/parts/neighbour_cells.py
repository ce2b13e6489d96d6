"""Nearest neighbours among the rows of a few cells: approximate for large sets, exact within the cells.

k-means divides the rows into about √N cells; a row is compared with the rows of the cells whose centres are nearest
to it. A centre amid many groups of rows lies nearer to most rows than the centre of any other group, so that its cell
would be large and nearly all rows would ask for it: cells that hold more than twice √N rows are divided further. The
rows of a cell are multiplied with all that ask for it at once, in bfloat16 with the bounds of
:mod:`methods.recognition.parts.neighbour_bounds`, so that of the rows looked at the nearest ones are proven.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from methods.recognition.parts import neighbour_kernels as kernels
from methods.recognition.parts.neighbour_bounds import Rounded, bfloat16_allowed, product, room, rounded

BLOCK = 4096  # rows of one product
LEARNT_FROM = 64  # rows per cell that k-means sees
ROUNDS = 10  # of k-means
FULL = 2  # times its share of the rows seen: a cell that holds more is divided
DIVIDED = 8  # rounds at most: a cell of equal rows stays full


def nearest_in_cells(source: np.ndarray, k: int, probes: int) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`~methods.recognition.parts.neighbour_bounds.all_nearest`, among the rows of ``probes`` cells each.

    Rows (U,) whose cells hold fewer than ``k`` others are not settled either.
    """
    prepared = rounded(source)
    known, limits, state = prepared.known, prepared.limits, kernels.empty_state(len(source), k, room(k))
    with bfloat16_allowed():
        asked = _asked(prepared, probes)
        members = _by_cell(asked[:, 0])
        # Each row's own cell first: it holds most neighbours, and those leave less to look at in the others.
        for ranks in (slice(0, 1), slice(1, None)):
            for some, cell in _by_query(asked[:, ranks]):
                others = members.get(cell, np.empty(0, dtype=np.int64))
                found = product(prepared.rows[some], prepared.rows[others])
                kernels.scan_some(found, some, others, known, limits, state)
    short = (state.held >= 0) & (state.held < k)
    state.held[short] = -1
    return kernels.ranked(source, k, np.argsort(asked[:, 0], kind="stable"), state)


def _cells(rows: int) -> int:
    return max(1, int(np.sqrt(rows)))


def _asked(known: Rounded, probes: int) -> np.ndarray:
    """(N, P) the ``probes`` cells whose centres are nearest to each row, all where there are fewer, nearest first."""
    count, cells = len(known.rows), _cells(len(known.rows))
    seen = np.linspace(0, count - 1, min(count, LEARNT_FROM * cells)).astype(np.int64)
    centres = _centres(known.rows[seen].float(), cells)
    found = np.empty((count, min(probes, len(centres))), dtype=np.int64)
    for start in range(0, count, BLOCK):
        found[start : start + BLOCK] = _nearest(known.rows[start : start + BLOCK].float(), centres, found.shape[1])
    return found


def _centres(seen: Tensor, cells: int) -> Tensor:
    """(C, D) centres of about ``cells`` cells, none of which holds much more than its share of the rows ``seen``."""
    share = len(seen) / cells
    centres = _means(seen, cells)
    for _ in range(DIVIDED):
        own = _nearest(seen, centres, 1)[:, 0]
        held = np.bincount(own, minlength=len(centres))
        full = np.flatnonzero(held > FULL * share)
        if not len(full):
            break
        parts = [_means(seen[own == cell], math.ceil(held[cell] / share)) for cell in full]
        centres = torch.cat([centres[held <= FULL * share], *parts])
    return centres


def _means(rows: Tensor, count: int) -> Tensor:
    """(count, D) centres of k-means, rounded as rows are."""
    import faiss

    learner = faiss.Kmeans(rows.shape[1], count, niter=ROUNDS, seed=0, min_points_per_centroid=1)
    learner.train(rows.numpy())
    return torch.from_numpy(learner.centroids).bfloat16().float()


def _nearest(rows: Tensor, centres: Tensor, count: int) -> np.ndarray:
    """(n, count) numbers of the centres that are nearest to each row."""
    return (centres.square().sum(1) - 2 * (rows @ centres.T)).topk(count, dim=1, largest=False).indices.numpy()


def _by_cell(asked: np.ndarray) -> dict[int, np.ndarray]:
    """The places (n,) in ``asked`` (M,) of each cell, ascending."""
    order = np.argsort(asked, kind="stable")
    cells, first = np.unique(asked[order], return_index=True)
    return dict(zip(cells.tolist(), np.split(order, first[1:]), strict=True))


def _by_query(asked: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """Blocks of the rows of ``asked`` (N, P) that ask for a cell, and the cell."""
    if asked.size:
        for cell, places in _by_cell(asked.ravel()).items():
            rows = places // asked.shape[1]
            for start in range(0, len(rows), BLOCK):
                yield rows[start : start + BLOCK], cell
