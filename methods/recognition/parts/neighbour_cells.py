"""Nearest neighbours among the rows of a few cells: approximate for large sets, exact within the cells.

k-means divides the rows into about √N cells; a row is compared with the rows of the cells whose centres are nearest
to it. The rows of a cell are multiplied with all that ask for it at once, in bfloat16 with the bounds of
:mod:`methods.recognition.parts.neighbour_bounds`, so that of the rows looked at the nearest ones are proven.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from methods.recognition.parts import neighbour_kernels as kernels
from methods.recognition.parts.neighbour_bounds import Rounded, bfloat16_allowed, room, rounded

BLOCK = 4096  # rows of one product
LEARNT_FROM = 64  # rows per cell that k-means sees
ROUNDS = 10  # of k-means


def nearest_in_cells(source: np.ndarray, k: int, probes: int) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`~methods.recognition.parts.neighbour_bounds.all_nearest`, among the rows of ``probes`` cells each.

    Rows (U,) whose cells hold fewer than ``k`` others are not settled either.
    """
    known = rounded(source)
    state = kernels.empty_state(len(source), k, room(k))
    with bfloat16_allowed():
        asked = _asked(known, min(probes, _cells(len(source))))
        members = _by_cell(asked[:, 0])
        # Each row's own cell first: it holds most neighbours, and those leave less to look at in the others.
        for ranks in (slice(0, 1), slice(1, None)):
            for some, cell in _by_query(asked[:, ranks]):
                others = members.get(cell, np.empty(0, dtype=np.int64))
                product = known.rows[some].float() @ known.rows[others].float().T
                kernels.scan_some(product.numpy(), some, others, known.squares, known.moved, *known.limits, *state)
    short = (state.held >= 0) & (state.held < k)
    state.held[short] = -1
    return kernels.ranked(source, k, np.argsort(asked[:, 0], kind="stable"), *state)


def _cells(rows: int) -> int:
    return max(1, int(np.sqrt(rows)))


def _asked(known: Rounded, probes: int) -> np.ndarray:
    """(N, probes) the cells whose centres are nearest to each row, the nearest first."""
    import faiss

    count, wide = known.rows.shape
    cells = _cells(count)
    sample = np.linspace(0, count - 1, min(count, LEARNT_FROM * cells)).astype(np.int64)
    learner = faiss.Kmeans(wide, cells, niter=ROUNDS, seed=0, min_points_per_centroid=1)
    learner.train(known.rows[sample].float().numpy())
    centres = torch.from_numpy(learner.centroids).bfloat16().float()
    squares, found = centres.square().sum(1), torch.empty((count, probes), dtype=torch.int64)
    for start in range(0, count, BLOCK):
        rows = known.rows[start : start + BLOCK].float()
        found[start : start + BLOCK] = (squares - 2 * (rows @ centres.T)).topk(probes, dim=1, largest=False).indices
    return found.numpy()


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
