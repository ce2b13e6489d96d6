"""Recall of proposals: at k times the number of ground truths, and averaged against the number of proposals (AR@AN)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from suite.evaluate.kernels import first_ranks
from suite.evaluate.lookup import group_rows, pair_keys
from suite.evaluate.protocols import ACTIVITYNET, ACTIVITYNET_TIOU, TemporalProtocol
from suite.evaluate.segments import Floats, Ints, Segments
from suite.evaluate.temporal import match_segments


def recall_at_multiples(
    truth: Segments,
    predictions: Segments,
    multiples: tuple[int, ...] = (1, 5),
    protocol: TemporalProtocol = ACTIVITYNET,
    videos: ArrayLike | None = None,
) -> Floats:
    """Recall@kx: share of ground truths reached by one of the k * n best detections of their video and class.

    n is the number of ground truths of that video and class. A detection may reach several (ActionFormer's rule).

    Returns:
        (T, C, K) for the protocol's thresholds, the classes of the ground truth (ascending) and the multiples.
    """
    matches = match_segments(truth, predictions, protocol, videos)
    counted, found = truth.take(matches.truth_row), predictions.take(matches.row)
    truth_key, found_key = pair_keys(counted.label, counted.video, found.label, found.video)
    ranks = _first_ranks(counted, found, truth_key, found_key, matches.thresholds)
    _, group, sizes = np.unique(truth_key, return_inverse=True, return_counts=True)
    allowed = sizes[group.reshape(-1)]
    recall = np.empty((len(ranks), len(matches.classes), len(multiples)))
    for place, multiple in enumerate(multiples):
        for level, rank in enumerate(ranks):
            reached = np.bincount(matches.truth_class, rank < multiple * allowed, minlength=len(matches.classes))
            recall[level, :, place] = reached / matches.positives
    return recall


@dataclass(frozen=True)
class RecallCurve:
    """Average recall against the average number of proposals per video.

    Attributes:
        recall: (T, P) at each threshold.
        average_recall: (P,) mean over thresholds.
        proposals: (P,) average number of proposals per video.
        area: area under ``average_recall`` over ``proposals``, as a share of the largest possible (0..1).
    """

    recall: Floats
    average_recall: Floats
    proposals: Floats
    area: float

    def at(self, proposals: float) -> float:
        """Average recall at so many proposals per video (linear between points): AR@AN."""
        return float(np.interp(proposals, self.proposals, self.average_recall))


def average_recall(
    truth: Segments,
    predictions: Segments,
    limit: int = 100,
    tiou: tuple[float, ...] = ACTIVITYNET_TIOU,
    videos: ArrayLike | None = None,
) -> RecallCurve:
    """AR@AN and its area, class-agnostic (ActivityNet's proposal task).

    All videos keep the same share of their proposals, such that ``limit`` a video are kept on average; the curve has
    100 points at equal shares of those. Every video with ground truth counts.
    """
    protocol = replace(ACTIVITYNET, name="proposals", tiou=tiou)
    alike = Segments(truth.video, np.zeros_like(truth.video), truth.start, truth.end)
    merged = Segments(
        predictions.video, np.zeros_like(predictions.video), predictions.start, predictions.end, predictions.score
    )
    chosen = np.unique(truth.video) if videos is None else np.asarray(videos, dtype=np.int64)
    matches = match_segments(alike, merged, protocol, chosen)
    counted, found = alike.take(matches.truth_row), merged.take(matches.row)
    members = np.bincount(matches.unit, minlength=len(matches.units))
    ratio = limit * len(chosen) / max(1, len(found))
    used = np.minimum((members * ratio).astype(np.int64), members)
    shares = np.arange(1, 101) / 100.0 * (limit * len(chosen) / max(1, int(used.sum())))
    ranks = _first_ranks(counted, found, counted.video, found.video, matches.thresholds)
    kept = np.minimum((used[:, None] * shares).astype(np.int64), used[:, None])
    recall = np.stack([(rank[:, None] < kept[matches.truth_unit]).mean(axis=0) for rank in ranks])
    proposals = shares * (int(used.sum()) / max(1, len(chosen)))
    mean = recall.mean(axis=0)
    area = float((np.diff(proposals) * (mean[1:] + mean[:-1]) / 2).sum() / proposals[-1])
    return RecallCurve(recall, mean, proposals, area)


def _first_ranks(counted: Segments, found: Segments, truth_key: Ints, found_key: Ints, thresholds: Floats) -> Ints:
    """(T, G) rank, in its group, of the best-scored detection that reaches each ground truth."""
    members = np.argsort(found_key, kind="stable")
    low, high = group_rows(truth_key, found_key[members])
    return first_ranks(counted.start, counted.end, low, high, members, found.start, found.end, thresholds)
