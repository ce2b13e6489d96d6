"""The arithmetic of Action Selection Learning as pure functions of tensors (Ma et al., CVPR 2021, §3).

B videos, T temporal positions, C classes. Nothing here depends on networks or data.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

EPSILON = 1e-7  # keeps powers and counts away from 0, as in the released code


def select(class_score: Tensor, actionness: Tensor, beta: Tensor | float) -> Tensor:
    """Selection h = β·a + (1-β)·s (eq. 6), shape (B, T, C).

    ``class_score`` (B, T, C): softmax over classes (released code) or raw activation (paper);
    ``actionness`` (B, T, S) of S modalities, averaged. The code's thirds are β = 2/3 with two modalities.
    """
    return beta * actionness.mean(dim=-1, keepdim=True) + (1 - beta) * class_score


def top_k(selection: Tensor, divisor: int) -> Tensor:
    """(B, k, C) positions of the k = T // divisor largest h of every class (eq. 2); at least one."""
    positions = selection.shape[1]
    return selection.topk(max(1, positions // divisor), dim=1).indices


def pool(logits: Tensor, chosen: Tensor) -> Tensor:
    """(B, C) video logits: the mean raw activation at ``chosen`` (B, k, C) (eq. 3, before the softmax)."""
    return logits.gather(1, chosen).mean(dim=1)


def selected_positions(chosen: Tensor, labels: Tensor, positions: int) -> Tensor:
    """T_pos (eq. 7) as a (B, T) mask of zeros and ones: positions chosen for any class of the video.

    A video without labels has no positive position.
    """
    hit = torch.zeros(chosen.shape[0], positions, chosen.shape[2], dtype=labels.dtype, device=labels.device)
    hit = hit.scatter(1, chosen, 1.0)  # out of place: `chosen` may be a stack of several networks' choices
    return (hit * labels[:, None, :]).amax(dim=2)


def classification_loss(video_logits: Tensor, labels: Tensor) -> Tensor:
    """L_CLS (eq. 4): cross entropy of the softmax against labels spread evenly over the video's classes.

    ``labels`` (B, C) in {0, 1}. A video without labels adds nothing (up to the 1e-10 of the released code).
    """
    target = labels / labels.sum(dim=1, keepdim=True).clamp(min=1.0) + 1e-10
    return -(target * F.log_softmax(video_logits, dim=1)).sum(dim=1).mean()


def balanced(positive: Tensor, negative: Tensor, mask: Tensor, other: Tensor | None = None) -> Tensor:
    """Mean of ``positive`` over the mask plus mean of ``negative`` over ``other``, per video, then over the batch.

    ``other`` is what the mask leaves, unless some positions are to count for neither.

    Each sign is averaged by its own count in each video (eq. 9): one mean over all positions would shrink the positive
    term five to eight times.
    """
    other = 1 - mask if other is None else other
    inside = (positive * mask).sum(dim=1) / (mask.sum(dim=1) + EPSILON)
    outside = (negative * other).sum(dim=1) / (other.sum(dim=1) + EPSILON)
    return (inside + outside).mean()


def generalized_cross_entropy(
    actionness: Tensor, mask: Tensor, q: Tensor | float, other: Tensor | None = None
) -> Tensor:
    """L_ASL (eq. 9): (1 - a^q)/q on T_pos and (1 - (1-a)^q)/q elsewhere; ``actionness``, ``mask`` (B, T), 0 < q <= 1.

    q = 1 is mean absolute error, q → 0 cross entropy (:func:`binary_cross_entropy`).
    """
    positive = (1 - (actionness + EPSILON) ** q) / q
    negative = (1 - (1 - actionness + EPSILON) ** q) / q
    return balanced(positive, negative, mask, other)


def binary_cross_entropy(actionness: Tensor, mask: Tensor, other: Tensor | None = None) -> Tensor:
    """The limit q → 0 of :func:`generalized_cross_entropy`, with the same normalization (row ASL-BCE of Table 1)."""
    return balanced(-torch.log(actionness + EPSILON), -torch.log(1 - actionness + EPSILON), mask, other)
