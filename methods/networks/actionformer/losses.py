"""Losses of an anchor-free detector: sigmoid focal loss and one-dimensional distance-IoU loss.

Sources: Lin et al., "Focal Loss", ICCV 2017; Zheng et al., "Distance-IoU Loss", AAAI 2020; ActionFormer, §3.3.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.networks.actionformer.model import Detections
from methods.networks.actionformer.targets import Targets

TINY = 1e-8


class DetectorLosses(NamedTuple):
    """Sums over the batch, before the division by a normalizer."""

    classification: Tensor
    regression: Tensor
    positive_points: Tensor  # number of points that regress


def sigmoid_focal(logits: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Elementwise focal loss of logits against targets in [0, 1]; soft targets enter ``p_t`` linearly."""
    cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    probability = logits.sigmoid()
    agreement = probability * targets + (1 - probability) * (1 - targets)
    weight = alpha * targets + (1 - alpha) * (1 - targets)
    return weight * cross_entropy * (1 - agreement) ** gamma


def distance_iou(predicted: Tensor, target: Tensor) -> Tensor:
    """1 - IoU + (distance of centres / length of the hull)^2 of segments around one point: (N, 2), (N, 2) -> (N,).

    Each segment is given by its distances to the left and to the right of the point.
    """
    # Both segments hold the point, so they overlap on both sides of it: the shorter reach to the left plus that to the
    # right; the longer reaches are the hull in the same way.
    overlap = torch.minimum(predicted, target).sum(1)
    union = predicted.sum(1) + target.sum(1) - overlap
    hull = torch.maximum(predicted, target).sum(1)
    shift = (predicted[:, 1] - predicted[:, 0] - target[:, 1] + target[:, 0]) / 2
    return 1 - overlap / union.clamp(min=TINY) + (shift / hull.clamp(min=TINY)) ** 2


def smooth_labels(targets: Tensor, smoothing: float) -> Tensor:
    """y(1 - e) + e / (C + 1) over (…, C)."""
    if smoothing == 0:
        return targets
    return targets * (1 - smoothing) + smoothing / (targets.shape[-1] + 1)


def detector_losses(
    detections: Detections, targets: Targets, smoothing: float = 0.0, ignored: Tensor | None = None
) -> DetectorLosses:
    """Focal loss over all valid points and classes, distance-IoU loss over positive points; computed in float32.

    Points that are ``ignored`` (B, P) bool have no focal loss. A batch without a positive has a regression loss of zero
    that still reaches the parameters.
    """
    valid = detections.valid
    learned = valid if ignored is None else valid & ~ignored
    positive = valid & (targets.instance >= 0)
    # A CPU pays for every point and computes those that count; another device computes all, since the host would have
    # to wait for it to tell how many count.
    sums = _sums_of_chosen if valid.device.type == "cpu" else _sums_of_all
    focal, distance = sums(detections, targets, smoothing, learned, positive)
    return DetectorLosses(focal, distance, positive.sum())


def _sums_of_chosen(
    detections: Detections, targets: Targets, smoothing: float, learned: Tensor, positive: Tensor
) -> tuple[Tensor, Tensor]:
    """Both losses over the points that count, taken out of the batch."""
    logits = detections.logits[learned].float()
    focal = sigmoid_focal(logits, smooth_labels(targets.classes[learned].float(), smoothing)).sum()
    distance = distance_iou(detections.offsets[positive].float(), targets.offsets[positive].float()).sum()
    return focal, distance


def _sums_of_all(
    detections: Detections, targets: Targets, smoothing: float, learned: Tensor, positive: Tensor
) -> tuple[Tensor, Tensor]:
    """Both losses of every point, added up where they count."""
    focal = sigmoid_focal(detections.logits.float(), smooth_labels(targets.classes.float(), smoothing))
    offsets = detections.offsets.float()
    # A point without an instance is compared with itself: it has a finite loss and a finite gradient, times zero.
    wanted = torch.where(positive[..., None], targets.offsets.float(), offsets.detach())
    distance = distance_iou(offsets.flatten(0, 1), wanted.flatten(0, 1)).unflatten(0, positive.shape)
    return focal.where(learned[..., None], 0.0).sum(), distance.where(positive, 0.0).sum()


def update_normalizer(previous: Tensor, positive_points: Tensor, momentum: float = 0.9) -> Tensor:
    """Running mean of the number of positive points, taken BEFORE the losses are divided by it; at least one counts."""
    return momentum * previous + (1 - momentum) * positive_points.clamp(min=1).to(previous.dtype)
