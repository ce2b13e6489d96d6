"""From L real snippets to the T temporal positions a network sees, and back to labels.

Published features hold one row per 16 frames. Networks of this family see a fixed number of positions (750), so short
videos repeat snippets and long ones skip some. Index sampling is what the released code does (ASL, BaSNet); linear
interpolation is what the ASL paper writes (§4).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from suite.errors import DataError


def uniform_index(length: int, positions: int) -> np.ndarray:
    """(T,) snippet seen at each position, ``floor(i · L / T)``: what inference uses.

    Raises :class:`DataError` for a video without snippets.
    """
    _check(length)
    return _uniform(length, positions).copy()


@lru_cache(maxsize=1024)  # videos are looked at again and again, and many have one length
def _uniform(length: int, positions: int) -> np.ndarray:
    return np.arange(positions, dtype=np.int64) * length // positions


def random_index(length: int, positions: int, generator: np.random.Generator) -> np.ndarray:
    """(T,) snippets for training: position i draws from ``s_i … s_{i+1}``, both included.

    ``s`` is the uniform grid. The last position draws from ``s_{T-1} … L-1``; with L = T every snippet is seen once,
    in order.
    """
    return random_rows(np.array([length]), positions, generator)[0]


def random_rows(lengths: np.ndarray, positions: int, generator: np.random.Generator) -> np.ndarray:
    """(B, T) :func:`random_index` of B videos of ``lengths`` (B,), drawn one after the other."""
    low = np.array([uniform_index(int(length), positions) for length in lengths]).reshape(-1, positions)
    high = np.concatenate([low[:, 1:], lengths[:, None] - 1], axis=1)
    drawn = lengths != positions
    low[drawn] = generator.integers(low[drawn], high[drawn], endpoint=True)
    return low


def interpolation(length: int, positions: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Linear interpolation on the grid ``i · L / T``: left, right and the weight of the right one, each (T,).

    The grid starts where index sampling starts, so a position means the same second under both; beyond the last snippet
    the last one is held.
    """
    left = uniform_index(length, positions)
    right = np.minimum(left + 1, length - 1)
    beyond = np.arange(positions, dtype=np.int64) * length % positions / positions
    return left, right, np.where(right > left, beyond, 0.0)


def crop_index(length: int, limit: int, generator: np.random.Generator) -> np.ndarray:
    """At most ``limit`` consecutive snippets, from a random start when the video is longer (W-TALC, 3C-Net)."""
    _check(length)
    start = int(generator.integers(0, length - limit, endpoint=True)) if length > limit else 0
    return np.arange(start, start + min(length, limit), dtype=np.int64)


def snippet_labels(
    start: np.ndarray, end: np.ndarray, label: np.ndarray, length: int, classes: int, snippets_per_second: float
) -> np.ndarray:
    """(L, C) bool, whether a snippet holds an action: ``round(start · r) … round(end · r)``, the last included.

    Rounding is half to even, and the end is cut at L, as in the released loaders. Each class gets its own segments (the
    released routine gives every present class the segments of all classes, by an aliased list).
    """
    inside = np.zeros((length, classes), dtype=bool)
    first = np.round(np.asarray(start) * snippets_per_second).astype(np.int64)
    last = np.round(np.asarray(end) * snippets_per_second).astype(np.int64)
    for begin, stop, which in zip(first, last, label):
        inside[begin : stop + 1, which] = True
    return inside


def _check(length: int) -> None:
    if length < 1:
        raise DataError("a video has no snippets: give every video at least one feature row, or leave the video out.")
