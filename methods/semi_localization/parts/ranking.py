"""Ranking and filtering of pseudo-labels (NPL, §3.2 and §3.3), as pure functions.

The paper leaves much open; each reading is a named choice, the first being the default. Positions count grid cells.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from suite.evaluate.segments import tiou

Neighbours = Literal["inside", "centre", "window"]
Spread = Literal["variance", "std"]

NEIGHBOURS: tuple[str, ...] = ("inside", "centre", "window")
SPREADS: tuple[str, ...] = ("variance", "std")
CENTRE_RADIUS = 1.5  # strides, as in ActionFormer's centre sampling
UNRELIABLE = torch.inf  # the ambiguity of a prediction without two neighbours: it ranks last


def neighbour_points(
    points: Tensor, valid: Tensor, segments: Tensor, origin: Tensor, rule: Neighbours = "inside", window: int = 2
) -> Tensor:
    """Which points count as adjacent snippets of each prediction: (N, P) bool, on the prediction's own level only.

    ``inside``: every point within the predicted segment ("dense snippets within the action", §1); ``centre``: of
    those, the ones within 1.5 strides of its centre (what training would call positive); ``window``: the point that
    made the prediction and ``window`` more on each side.

    Args:
        points: (P, 4) position, range low, range high, stride.
        valid: (P,) bool.
        segments: (N, 2) predicted start and end.
        origin: (N,) index of the point that predicts each segment.
    """
    position, stride = points[:, 0], points[:, 3]
    own = (stride[None, :] == stride[origin][:, None]) & valid[None, :]
    if rule == "window":
        near = (position[None, :] - position[origin][:, None]).abs() <= window * stride[origin][:, None]
        return own & near
    start, end = segments[:, :1], segments[:, 1:]
    inside = own & (position >= start) & (position <= end)
    if rule == "inside":
        return inside
    return inside & ((position - (start + end) / 2).abs() < CENTRE_RADIUS * stride[origin][:, None])


def boundary_ambiguity(
    boundaries: Tensor, neighbours: Tensor, duration: Tensor, spread: Spread = "variance", floor: float = 1e-3
) -> Tensor:
    """How much the neighbours disagree about a prediction's start and end, over its duration: (N,) (eq. 4).

    The paper divides a variance by a duration, which has the unit of a length and grows with it; ``std`` divides the
    standard deviation instead. A value below ``floor`` (times the duration, for ``variance``) is lifted to it, since
    eq. 5 divides by it. Fewer than two neighbours give infinity.

    Args:
        boundaries: (P, 2) start and end that each point predicts.
        neighbours: (N, P) bool.
        duration: (N,) of the predictions, positive.
    """
    weight = neighbours.to(boundaries.dtype)
    count = weight.sum(1, keepdim=True).clamp(min=1)
    centre = (duration.new_zeros(()) + boundaries.mean(0)).detach()  # shifts cancel in a variance; keeps it accurate
    moved = boundaries - centre
    mean = weight @ moved / count
    variance = (weight @ moved.square() / count - mean.square()).clamp(min=0)
    if spread == "variance":
        ambiguity = torch.maximum(variance.sum(1) / duration, floor * duration)
    else:
        ambiguity = (variance.sqrt().sum(1) / duration).clamp(min=floor)
    return torch.where(neighbours.sum(1) < 2, torch.full_like(ambiguity, UNRELIABLE), ambiguity)


def reliability(score: np.ndarray, ambiguity: np.ndarray) -> np.ndarray:
    """(N,) confidence by which pseudo-labels are ranked: foreground score over boundary ambiguity (eq. 5)."""
    return np.asarray(score / ambiguity)


def adaptive_quota(labels: np.ndarray, classes: int, n_pos: int) -> np.ndarray:
    """(C,) pseudo-labels that each class may keep in one video: its share of the video's predictions (eq. 6).

    Halves round up and a share may round to none. A video with no more predictions than ``n_pos`` keeps them all.
    """
    counts = np.bincount(labels, minlength=classes)
    if len(labels) <= n_pos:
        return counts
    return np.minimum(np.floor(counts / len(labels) * n_pos + 0.5).astype(np.int64), counts)


def adaptive_filter(labels: np.ndarray, rank: np.ndarray, classes: int, n_pos: int) -> np.ndarray:
    """Rows of one video that Noisy Label Filtering keeps: the best ``adaptive_quota`` of each class, in row order.

    Args:
        labels: (N,) class of each prediction.
        rank: (N,) what to rank by, higher is better.
        classes: number of classes.
        n_pos: N_pos.
    """
    quota = adaptive_quota(labels, classes, n_pos)
    order = np.lexsort((-rank, labels))
    # Sorted by class, then by rank: the place within the class is the row less the first row of the class.
    place = np.arange(len(order)) - np.searchsorted(labels[order], labels[order])
    return np.sort(order[place < quota[labels[order]]])


def threshold_filter(score: np.ndarray, threshold: float) -> np.ndarray:
    """Rows whose foreground score exceeds ``threshold`` (Table 4, "θ_s")."""
    return np.flatnonzero(score > threshold)


def top_filter(rank: np.ndarray, number: int) -> np.ndarray:
    """The ``number`` best rows, in row order (Table 4, "top-10")."""
    return np.sort(np.argsort(-rank, kind="stable")[:number])


def proposal_ambiguity(
    start: np.ndarray,
    end: np.ndarray,
    other: np.ndarray,
    weight: np.ndarray,
    spread: Spread = "variance",
    least: float = 0.5,
    floor: float = 1e-3,
) -> np.ndarray:
    """``boundary_ambiguity`` for detectors without a prediction per snippet (our construction for BMN): (N,).

    The neighbours of a proposal are all proposals whose tIoU with it is at least ``least``, weighted by their scores.

    Args:
        start, end: (N,) of the predictions to judge.
        other: (M, 2) all proposals of the video; ``weight`` (M,) their scores.
    """
    count, variance = np.zeros(len(start), dtype=np.int64), np.zeros((len(start), 2))
    starts, ends = np.ascontiguousarray(other.T)
    # One by one: a network that has learned nothing leaves hundreds of thousands of proposals for each video.
    for row, span in enumerate(zip(start, end, strict=True)):
        near = np.flatnonzero(tiou(*span, starts, ends) >= least)
        share, bounds = weight[near], other[near]
        total = max(float(share.sum()), 1e-12)
        count[row] = np.count_nonzero(share > 0)
        variance[row] = share @ (bounds - share @ bounds / total) ** 2 / total
    duration = np.maximum(end - start, 1e-12)
    if spread == "variance":
        ambiguity = np.maximum(variance.sum(1) / duration, floor * duration)
    else:
        ambiguity = np.maximum(np.sqrt(variance).sum(1) / duration, floor)
    return np.where(count < 2, np.inf, ambiguity)
