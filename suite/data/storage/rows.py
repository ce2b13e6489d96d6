"""Feature rows too many to hold at once: a shape, and a way to stream them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

BLOCK_BYTES = 32 * 2**20


@dataclass(frozen=True)
class LazyRows:
    """Rows that a reader yields block by block, so that packing never holds them all.

    ``shape`` (N, D); ``blocks()`` starts a fresh stream of arrays (n, D) whose n add up to N, in row order.
    """

    shape: tuple[int, ...]
    blocks: Callable[[], Iterable[np.ndarray]]
    dtype: str = "float32"

    def __len__(self) -> int:
        return self.shape[0]


def blocks_of(rows: np.ndarray | LazyRows) -> Iterator[np.ndarray]:
    """The rows in blocks of at most some 32 MiB (an array is sliced, a stream is passed on)."""
    if isinstance(rows, LazyRows):
        yield from (np.asarray(block) for block in rows.blocks())
    elif rows.ndim == 0 or rows.size == 0:
        yield rows
    else:
        step = max(1, BLOCK_BYTES // max(1, rows[:1].nbytes))
        for start in range(0, len(rows), step):
            yield rows[start : start + step]
