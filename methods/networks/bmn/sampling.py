"""Where the boundary-matching layer looks: a sparse matrix from (time, sample) to proposal cells (BMN, §3.2).

A proposal is sampled at N points, each the mean of a few linear interpolations, over a region that extends the
proposal on both sides. The layout decides which proposals there are:

- ``start-end``: cell (s, e) is the proposal [s, e + 1], valid for s <= e (the community code, JJBOY/BMN);
- ``duration-start``: cell (d, s) is the proposal [s, s + d], valid for s + d < T (the authors' code, OpenTAD).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

Layout = Literal["start-end", "duration-start"]


class Sampling(NamedTuple):
    """The valid cells of a map and, as a CSR matrix, how each mixes the (time, sample) rows."""

    cells: np.ndarray  # (K, 2) row and column of each valid cell
    extents: np.ndarray  # (K, 2) start and end of its proposal in grid cells
    row_starts: np.ndarray  # (K + 1,) CSR
    columns: np.ndarray  # (nnz,) time * N + sample
    weights: np.ndarray  # (nnz,)


def valid_cells(layout: Layout, length: int, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the valid cells (K, 2), and the extents (K, 2) of their proposals."""
    if layout == "start-end":
        cells = np.argwhere(np.triu(np.ones((length, length), dtype=bool)))
        return cells, cells + np.array([0, 1])
    duration, start = np.meshgrid(np.arange(longest), np.arange(length), indexing="ij")
    cells = np.argwhere(start + duration < length)
    return cells, np.stack([cells[:, 1], cells[:, 1] + cells[:, 0]], axis=1)


def build_sampling(
    layout: Layout, length: int, longest: int, samples: int = 32, per_sample: int = 3, extension: float = 0.5
) -> Sampling:
    """Sampling weights of all valid proposals on a grid of ``length`` cells.

    ``extension`` is the share of (length + 1) added on each side; all public code uses 0.5. An interpolation point
    left of cell 0 by less than one cell counts whole for cell 0, one right of the last cell loses its outer part:
    the two borders differ, as in the reference.
    """
    cells, extents = valid_cells(layout, length, longest)
    reach = (extents[:, 1] - extents[:, 0] + 1) * extension
    first, last = extents[:, 0] - reach, extents[:, 1] + reach
    steps = samples * per_sample
    positions = first[:, None] + ((last - first) / (steps - 1.0))[:, None] * np.arange(steps)
    # Truncated and not floored, which makes the left border what it is: at -0.3 both neighbours are cell 0, with
    # weights 1.3 and -0.3.
    whole = np.trunc(positions)
    fraction = positions - whole
    cell = np.broadcast_to(np.arange(len(cells))[:, None], positions.shape)
    sample = np.broadcast_to(np.arange(steps) // per_sample, positions.shape)
    time = np.concatenate([whole, np.ceil(positions)]).astype(np.int64)
    weight = np.concatenate([1 - fraction, fraction]) / per_sample
    key = np.concatenate([cell, cell]) * (length * samples) + time * samples + np.concatenate([sample, sample])
    inside = (time >= 0) & (time < length)
    # Several interpolation points may fall on one cell; their weights add up in one entry of the matrix.
    keys, place = np.unique(key[inside], return_inverse=True)
    weights = np.bincount(place, weights=weight[inside], minlength=len(keys))
    keys, weights = keys[weights != 0], weights[weights != 0]
    row_starts = np.searchsorted(keys, np.arange(len(cells) + 1) * (length * samples))
    return Sampling(cells, extents, row_starts, keys % (length * samples), weights)


class SparseProduct(torch.autograd.Function):
    """Constant sparse matrix times dense batch: (K, R) and (B, R, C) -> (B, K, C); the matrix has no gradient."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, matrix: Tensor, transposed: Tensor, dense: Tensor) -> Tensor:
        """Multiply each sample; keeps the transposed matrix for the way back."""
        ctx.transposed = transposed  # type: ignore[attr-defined]
        return _multiply(matrix, dense)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[None, None, Tensor]:
        """The gradient of the dense batch."""
        return None, None, _multiply(ctx.transposed, grad.contiguous())  # type: ignore[attr-defined]


def _multiply(matrix: Tensor, dense: Tensor) -> Tensor:
    out = dense.new_empty(len(dense), matrix.shape[0], dense.shape[2])
    for sample, result in zip(dense, out, strict=True):
        torch.mm(matrix, sample, out=result)
    return out
