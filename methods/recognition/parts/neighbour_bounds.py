"""All nearest neighbours of a set of rows from products in bfloat16, proven by bounds.

With c the centre, let b be a row x - c rounded to bfloat16 and r the length of what rounding took away, computed in
double precision. By the triangle inequality the distance of two rows differs from that of their rounded forms by at
most r + r'. The rounded distance itself comes from a product whose sum of D terms was rounded in float32: that is off
by at most D · 2⁻²³ times both lengths, whatever the order of the sum, and twice what rounding to nearest allows. So
each pair has a lower and an upper bound. The K-th smallest upper bound of a row limits the distance of its K-th
neighbour; only rows whose lower bound is within that limit can be neighbours, and their distances are computed exactly.
Which rows are neighbours therefore depends neither on the precision that a processor multiplies in, nor on the blocks.
A product serves both of its rows, which halves the products.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from methods.recognition.parts import neighbour_kernels as kernels
from suite.method import Tell, nobody

BLOCK = 2048  # rows of one product, and as many columns
ROOM = 256  # candidates that a row may have at once, more for large K; a row that needs more is not settled
SMALLEST = 2.0**-125  # products below it may become zero


class Rounded(NamedTuple):
    """Centred rows (N, D) in bfloat16, their squared lengths (N,), and (N,) how much rounding moved each at most."""

    rows: Tensor
    squares: np.ndarray
    moved: np.ndarray

    @property
    def limits(self) -> tuple[float, float, float, float]:
        """How far off a product is at most, per length and beside it, and the maxima of ``moved`` and the lengths."""
        wide = self.rows.shape[1]
        return wide * 2.0**-23, wide * SMALLEST, float(self.moved.max()), float(np.sqrt(self.squares.max()))


def all_nearest(source: np.ndarray, k: int, tell: Tell = nobody) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers (N, k) of the nearest other rows of ``source`` (N, D), nearest first, and the rows not settled (U,).

    Equal distances go to the lower number. What is found for a row that is not settled means nothing. ``tell`` hears
    how many blocks of products are done.
    """
    known = rounded(source)
    state = kernels.empty_state(len(source), k, room(k))
    with bfloat16_allowed():
        blocks = -(-len(source) // BLOCK)
        for done, (row, column, product) in enumerate(_products(known.rows)):
            tell("neighbours: block", done, blocks * (blocks + 1) // 2)
            kernels.scan(product, row, column, known.squares, known.moved, *known.limits, *state)
    return kernels.ranked(source, k, np.arange(len(source)), *state)


def room(k: int) -> int:
    """How many candidates for ``k`` neighbours a row may have at once."""
    return max(ROOM, 8 * k)


def _products(rows: Tensor) -> Iterator[tuple[int, int, np.ndarray]]:
    """Blocks of ``rows`` times ``rows`` transposed on and above the diagonal, with their first row and column."""
    for row in range(0, len(rows), BLOCK):
        left = rows[row : row + BLOCK].float()
        for column in range(row, len(rows), BLOCK):
            right = left if column == row else rows[column : column + BLOCK].float()
            yield row, column, (left @ right.T).numpy()


def rounded(source: np.ndarray) -> Rounded:
    """``source`` (N, D) about its mean in bfloat16."""
    centre = source.mean(axis=0, dtype=np.float64).astype(source.dtype)  # short vectors lose less to rounding
    rows = torch.empty(source.shape, dtype=torch.bfloat16)
    squares, moved = np.empty((2, len(source)))
    for start in range(0, len(source), BLOCK):
        part = slice(start, start + BLOCK)
        rows[part] = torch.from_numpy((source[part] - centre).astype(np.float32)).bfloat16()
        squares[part], moved[part] = kernels.lengths(source[part], centre, rows[part].float().numpy())
    return Rounded(rows, squares, moved)


@contextmanager
def bfloat16_allowed() -> Iterator[None]:
    """Let products of float32 matrices be computed in bfloat16, which is exact for values that are rounded to it."""
    setting = getattr(torch.backends.mkldnn, "matmul", None)
    if setting is None or not hasattr(setting, "fp32_precision"):
        yield
        return
    before = setting.fp32_precision
    setting.fp32_precision = "bf16"
    try:
        yield
    finally:
        setting.fp32_precision = before
