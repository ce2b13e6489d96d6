"""All nearest neighbours of a set of rows from products in bfloat16, proven by bounds.

With c the centre, let b be a row x - c rounded to bfloat16 and r the length of what rounding took away, computed in
double precision. By the triangle inequality the distance of two rows differs from that of their rounded forms by at
most r + r'. The rounded distance itself comes from a product whose sum of D terms was rounded in float32: that is off
by at most D · 2⁻²³ times both lengths, whatever the order of the sum, and twice what rounding to nearest allows. Where
the processor multiplies bfloat16, blocks of products are rounded to it, too, by at most 2⁻⁸ of themselves: that takes
half the time of products that are kept in float32, and where a row has too many candidates for that, distances of their
rounded forms are computed in double precision. So each pair has a lower and an upper bound. The K-th smallest upper
bound of a row limits the distance of its K-th neighbour; only rows whose lower bound is within that limit can be
neighbours, and their distances are computed exactly. Which rows are neighbours therefore depends neither on the
precision that a processor multiplies in, nor on the blocks. A product serves both of its rows, which halves the
products.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from methods.recognition.parts import neighbour_kernels as kernels
from suite.method import Tell, nobody

BLOCK = 2048  # rows of one product, and as many columns
ROOM = 256  # candidates that a row may have at once, more for large K; a row that needs more is not settled
SMALLEST = 2.0**-125  # products below it may become zero
ROUNDED = 2.0**-8 * (1 + 2.0**-7)  # of a bfloat16, how far it is at most from what was rounded to it


class Rounded(NamedTuple):
    """Centred rows (N, D) in bfloat16, their squared lengths (N,), and (N,) how much rounding moved each at most."""

    rows: Tensor
    squares: np.ndarray
    moved: np.ndarray

    @property
    def known(self) -> kernels.Known:
        """The rows as the scans of products take them."""
        return kernels.Known(self.rows.view(torch.int16).numpy().view(np.uint16), self.squares, self.moved)

    @property
    def limits(self) -> kernels.Limits:
        """How far off products are at most."""
        wide, kept = self.rows.shape[1], ROUNDED if multiplied_in_bfloat16() else 0.0
        moved, longest = float(self.moved.max()), float(np.sqrt(self.squares.max()))
        return kernels.Limits(wide * 2.0**-23, wide * SMALLEST, kept, moved, longest)


def all_nearest(source: np.ndarray, k: int, tell: Tell = nobody) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers (N, k) of the nearest other rows of ``source`` (N, D), nearest first, and the rows not settled (U,).

    Equal distances go to the lower number. What is found for a row that is not settled means nothing. ``tell`` hears
    how many blocks of products are done.
    """
    prepared = rounded(source)
    known, limits, state = prepared.known, prepared.limits, kernels.empty_state(len(source), k, room(k))
    blocks = -(-len(source) // BLOCK)
    for done, (row, column, found) in enumerate(_products(prepared.rows)):
        tell("neighbours: block", done, blocks * (blocks + 1) // 2)
        kernels.scan(found, row, column, known, limits, state)
    return kernels.ranked(source, k, np.arange(len(source)), state)


def room(k: int) -> int:
    """How many candidates for ``k`` neighbours a row may have at once."""
    return max(ROOM, 8 * k)


def _products(rows: Tensor) -> Iterator[tuple[int, int, np.ndarray]]:
    """Blocks of ``rows`` times ``rows`` transposed on and above the diagonal, with their first row and column."""
    for row in range(0, len(rows), BLOCK):
        for column in range(row, len(rows), BLOCK):
            yield row, column, product(rows[row : row + BLOCK], rows[column : column + BLOCK])


def product(left: Tensor, right: Tensor) -> np.ndarray:
    """(n, m) products of rows (n, D) and (m, D) in bfloat16, as float32."""
    if multiplied_in_bfloat16():
        return np.asarray((left @ right.T).float().numpy())
    return np.asarray((left.float() @ right.float().T).numpy())


@cache
def multiplied_in_bfloat16() -> bool:
    """Whether this processor has instructions (AVX-512 or AMX) that multiply bfloat16 and add in float32."""
    asked = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(has is not None and has() for has in asked)


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
