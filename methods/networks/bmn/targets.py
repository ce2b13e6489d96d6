"""What a boundary-matching network should predict for an annotated sequence (BMN, §3.3).

Segments are in grid cells, 0 to T. Public codes differ in what a cell is and how the map is laid out:

- ``original``: the code of BMN's authors, as SSTAP builds on it; (duration, start) maps;
- ``community``: JJBOY/BMN; (start, end) maps;
- ``opentad``: OpenTAD; (duration, start) maps.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from suite.evaluate.segments import tiou

Code = Literal["original", "community", "opentad"]
BOUNDARY_REACH = 1.5  # cells on each side of a boundary that belong to it


def boundary_targets(boundaries: np.ndarray, length: int, code: Code = "community") -> np.ndarray:
    """(T,) the largest share of each cell that lies within 1.5 cells of one of the ``boundaries`` (N,).

    ``community``: cell i is [i - 0.5, i + 0.5]. ``original``: cell i is [i - 0.5, i + 1.5]. ``opentad``: cell i is
    [i, i + 1] and only whole coverage counts (its integer anchors truncate the share).
    """
    if len(boundaries) == 0:
        return np.zeros(length)
    offset, size = {"original": (0.5, 2.0), "community": (0.5, 1.0), "opentad": (0.0, 1.0)}[code]
    cell = np.arange(length)[:, None] - offset
    covered = np.minimum(cell + size, boundaries + BOUNDARY_REACH) - np.maximum(cell, boundaries - BOUNDARY_REACH)
    share: np.ndarray = np.clip(covered / size, 0.0, 1.0).max(1)
    return np.floor(share) if code == "opentad" else share


def proposal_targets(segments: np.ndarray, extents: np.ndarray) -> np.ndarray:
    """(K,) the largest tIoU of each proposal [start, end] with one of the segments (N, 2)."""
    if len(segments) == 0:
        return np.zeros(len(extents))
    return tiou(extents[:, :1], extents[:, 1:], segments[None, :, 0], segments[None, :, 1]).max(1)


def proposal_extents(cells: np.ndarray, code: Code = "community") -> np.ndarray:
    """(K, 2) the segment that each map cell stands for in targets and results.

    ``community`` cells are (start, end) and end one cell later; the others are (duration, start) and
    [start, start + duration + 1].
    """
    if code == "community":
        return cells + np.array([0, 1])
    return np.stack([cells[:, 1], cells[:, 1] + cells[:, 0] + 1], axis=1)
