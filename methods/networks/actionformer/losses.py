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
    logits = detections.logits[learned].float()
    focal = sigmoid_focal(logits, smooth_labels(targets.classes[learned].float(), smoothing)).sum()
    positive = valid & (targets.instance >= 0)
    distance = distance_iou(detections.offsets[positive].float(), targets.offsets[positive].float()).sum()
    return DetectorLosses(focal, distance, positive.sum())


def update_normalizer(previous: Tensor, positive_points: Tensor, momentum: float = 0.9) -> Tensor:
    """Running mean of the number of positive points, taken BEFORE the losses are divided by it; at least one counts."""
    return momentum * previous + (1 - momentum) * positive_points.clamp(min=1).to(previous.dtype)
