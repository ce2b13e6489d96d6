"""From raw outputs to scored segments: candidates of every point, suppression, voting, external class scores.

Source: inference of ActionFormer's released code. Segments stay in grid cells until ``to_seconds``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor

from methods.networks.actionformer.model import Detections
from methods.networks.actionformer.preparation import Grid
from suite.evaluate.lookup import stable_descending
from suite.evaluate.segments import Segments, required_score
from suite.evaluate.suppression import (
    SoftRule,
    best_rows,
    groups_of_videos,
    hard_nms,
    ranked_groups,
    soft_nms_best,
    video_class_groups,
    vote,
)

AREA_PAD = 1e-6  # the reference adds this to every length against division by zero


class Candidates(NamedTuple):
    """N scored segments of one video with the points they come from."""

    segments: Tensor  # (N, 2) grid cells
    scores: Tensor  # (N,)
    labels: Tensor  # (N,)
    points: Tensor  # (N,) index of the point


@dataclass(frozen=True)
class NmsRule:
    """How overlapping detections are thinned. The defaults are those of THUMOS-14."""

    soft: bool = True
    class_wise: bool = True
    sigma: float = 0.5
    threshold: float = 0.1  # of hard suppression
    min_score: float = 0.001
    limit: int = 200  # segments per video
    voting: float = 0.0  # tIoU of the segments that are averaged; 0 turns voting off; only without class_wise


def candidates(
    found: Detections,
    video: int,
    threshold: float = 0.001,
    per_level: int = 2000,
    shortest: float = 0.05,
    best_class: bool = False,
) -> Candidates:
    """Every (point, class) of one video whose probability exceeds ``threshold``, the best ``per_level`` of each level.

    Segments that are not longer than ``shortest`` grid cells are dropped. Within a level scores descend. With
    ``best_class`` a point has its most probable class only.
    """
    stride, classes = found.points[:, 3], found.logits.shape[2]
    probability = found.logits[video].float().sigmoid() * found.valid[video][:, None]
    if best_class:
        probability = probability * F.one_hot(probability.argmax(1), classes)
    picked = []
    for level in torch.unique(stride):
        rows = torch.nonzero(stride == level)[:, 0]
        flat = probability[rows].flatten()
        place = torch.nonzero(flat > threshold)[:, 0]
        best = _descending(flat[place])[:per_level]
        # Points of a level lie side by side, so its first row turns places within the level into places in the whole
        # table.
        picked.append(rows[0] * classes + place[best])
    flat_index = torch.cat(picked)
    points, labels = flat_index // classes, flat_index % classes
    segments = boundaries(found.points, found.offsets[video].float())[points]
    # After the best of each level were chosen, as in the released code: what is too short has taken a place.
    kept = segments[:, 1] - segments[:, 0] > shortest
    return Candidates(segments[kept], probability.flatten()[flat_index[kept]], labels[kept], points[kept])


def _descending(scores: Tensor) -> Tensor:
    """The order of descending ``scores`` (N,), equal ones as they came."""
    if scores.device.type == "cpu":  # torch takes five times as long there
        return torch.from_numpy(stable_descending(scores.detach().numpy()))
    return scores.argsort(descending=True, stable=True)


def boundaries(points: Tensor, offsets: Tensor) -> Tensor:
    """Start and end in grid cells that each point predicts: (P, 4) and (..., P, 2) -> (..., P, 2)."""
    reach = offsets * points[:, 3:]
    return torch.stack([points[:, 0] - reach[..., 0], points[:, 0] + reach[..., 1]], dim=-1)


def suppress(found: Segments, rule: NmsRule) -> Segments:
    """Thin the candidates of any number of videos; the result is sorted by score within each video."""
    score = required_score(found)
    group = video_class_groups(found.video, found.label) if rule.class_wise else found.video
    if rule.soft:
        ranked = ranked_groups(found.start, found.end, score, group)
        own = SoftRule(rule.limit, rule.sigma, min_score=rule.min_score, pad=AREA_PAD)
        rows, values = soft_nms_best(ranked, groups_of_videos(ranked, found.video), own)
    else:
        standing = hard_nms(found.start, found.end, score, rule.threshold, group=group, pad=AREA_PAD)
        rows = standing[best_rows(score[standing], rule.limit, found.video[standing])]
        values = score[rows]
    kept = replace(found.take(rows), score=values)
    if rule.voting <= 0 or rule.class_wise:
        return kept
    # Every candidate votes, the suppressed ones included (released code): those around a kept segment refine it.
    start, end = vote(
        kept.start, kept.end, found.start, found.end, score, rule.voting, group=kept.video, candidate_group=found.video
    )
    return replace(kept, start=start, end=end)


def to_seconds(found: Segments, grids: list[Grid]) -> Segments:
    """Grid cells to seconds, clipped to each video; ``found.video`` indexes ``grids``."""
    table = np.array([tuple(grid) for grid in grids], dtype=np.float64).reshape(-1, len(Grid._fields))
    per_row = Grid(*np.take(table.T.copy(), found.video, axis=1))
    return replace(found, start=per_row.to_seconds(found.start), end=per_row.to_seconds(found.end))


def fuse_class_scores(found: Segments, external: ArrayLike, top: int = 2, limit: int = 200) -> Segments:
    """Give class-agnostic segments the classes of a video classifier.

    The ``limit`` best segments of each video are repeated for its ``top`` classes with score
    sqrt(class score * segment score).

    Args:
        found: segments whose ``video`` indexes the rows of ``external``.
        external: (V, C) video-level class scores.
        top: classes per video.
        limit: segments per video before they are repeated.
    """
    table = np.asarray(external, dtype=np.float64)
    kept = found.take(best_rows(required_score(found), limit, found.video))
    classes = np.argsort(-table, axis=1, kind="stable")[:, :top]
    repeated = kept.take(np.tile(np.arange(len(kept)), top))
    label = classes[kept.video].T.reshape(-1)
    score = np.sqrt(table[repeated.video, label] * required_score(repeated))
    return replace(repeated, label=label, score=score)
