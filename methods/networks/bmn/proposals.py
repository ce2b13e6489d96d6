"""From confidence maps to scored proposals, in the forms of public code (BMN, §3.4)."""

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
    """(T,) bool: local peaks and all values above half the maximum, as OpenTAD chooses them.

    A value that no neighbour exceeds is a peak: plateaus count, and the two ends are compared with their one neighbour.
    """
    padded = np.pad(probability, 1, constant_values=-np.inf)
    peak = (probability >= padded[:-2]) & (probability >= padded[2:])
    return np.asarray(peak | (probability > 0.5 * probability.max()))


def inner_candidates(probability: np.ndarray) -> np.ndarray:
    """(T,) bool: the rule of BMN's authors: strict peaks and values above half the maximum, never the two ends."""
    inner = probability[1:-1]
    peak = (inner > probability[:-2]) & (inner > probability[2:])
    return np.pad(peak | (inner > 0.5 * probability.max()), 1)


def original_proposals(maps: Maps) -> Proposals:
    """Proposals [s, s + d + 1] of a (duration, start) map between candidates, by the code of BMN's authors.

    The first cell always counts as a start and the last as an end. The end probability is read one cell after the
    map's end, so no proposal ends with the sequence. Scored start * end * classification * regression.
    """
    length = len(maps.start)
    starts, ends = inner_candidates(maps.start), inner_candidates(maps.end)
    starts[0] = ends[-1] = True
    duration, start = np.meshgrid(*map(np.arange, maps.regression.shape), indexing="ij")
    end = np.minimum(start + duration + 1, length - 1)
    kept = (start + duration + 1 < length) & starts[start] & ends[end]
    confidence = maps.classification[kept] * maps.regression[kept]
    scores = maps.start[start[kept]] * maps.end[end[kept]] * confidence
    return Proposals(np.stack([start[kept], end[kept]], axis=1).astype(np.float64), scores.astype(np.float64))


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
