"""From confidence maps to scored proposals, in the two forms of public code (BMN, §3.4)."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from methods.networks.bmn.targets import proposal_extents

ProposalScore = Literal["iou", "iou*s*e"]


class Maps(NamedTuple):
    """One video's predicted probabilities as arrays."""

    start: np.ndarray  # (T,)
    end: np.ndarray  # (T,)
    regression: np.ndarray  # (rows, T)
    classification: np.ndarray  # (rows, T)


class Proposals(NamedTuple):
    """N candidates on the grid of T cells."""

    segments: np.ndarray  # (N, 2) cells
    scores: np.ndarray  # (N,)


def community_proposals(maps: Maps) -> Proposals:
    """Every proposal [i, j + 1] with j + 1 < T, scored start * end * classification * regression.

    The end probability is read one cell after the map's end index, so a proposal that ends with the video is never
    generated (the reference's rule).
    """
    length = len(maps.start)
    first, last = np.nonzero(np.triu(np.ones((length, length), dtype=bool)))
    kept = last + 1 < length
    first, last = first[kept], last[kept]
    confidence = maps.classification[first, last] * maps.regression[first, last]
    scores = maps.start[first] * maps.end[last + 1] * confidence
    return Proposals(np.stack([first, last + 1], axis=1).astype(np.float64), scores.astype(np.float64))


def boundary_candidates(probability: np.ndarray) -> np.ndarray:
    """(T,) bool: local peaks (never the two ends) and all values above half the maximum."""
    inner = np.zeros(len(probability), dtype=bool)
    inner[1:-1] = (probability[1:-1] > probability[:-2]) & (probability[1:-1] > probability[2:])
    return inner | (probability > 0.5 * probability.max())


def opentad_proposals(maps: Maps, score: ProposalScore = "iou") -> Proposals:
    """Proposals between start and end candidates on a (duration, start) map; the sequence's own ends always count.

    ``iou`` scores classification * regression (detection), ``iou*s*e`` times both boundaries (recall).
    """
    length = len(maps.start)
    starts, ends = boundary_candidates(maps.start), boundary_candidates(maps.end)
    starts[0] = ends[-1] = True
    duration, start = np.meshgrid(*map(np.arange, maps.regression.shape), indexing="ij")
    end = duration + start
    kept = (end < length) & starts[start] & ends[np.minimum(end, length - 1)]
    cells = np.argwhere(kept)
    scores = maps.classification[kept] * maps.regression[kept]
    if score == "iou*s*e":
        scores = scores * maps.start[start[kept]] * maps.end[end[kept]]
    return Proposals(proposal_extents(cells, "opentad").astype(np.float64), scores.astype(np.float64))
