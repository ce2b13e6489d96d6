"""Multi-label losses of actor detection: cross-entropy from logits, balanced means."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.actor_detection.parts.thresholds import PseudoTargets


def action_probabilities(logits: Tensor, poses: int = 0) -> Tensor:
    """(N, C) probabilities: a softmax over the first ``poses`` classes (ACAR; 13 in AVA), a sigmoid for every other."""
    if poses == 0:
        return logits.sigmoid()
    return torch.cat([logits[:, :poses].softmax(dim=1), logits[:, poses:].sigmoid()], dim=1)


def log_probabilities(logits: Tensor, poses: int = 0) -> tuple[Tensor, Tensor]:
    """log p and log (1 - p) of :func:`action_probabilities`, from logits, finite for every finite logit."""
    inside, outside = F.logsigmoid(logits), F.logsigmoid(-logits)
    if poses == 0:
        return inside, outside
    pose = logits[:, :poses]
    total = pose.logsumexp(dim=1, keepdim=True)
    itself = torch.eye(poses, dtype=torch.bool, device=logits.device)
    others = pose[:, None, :].masked_fill(itself, -torch.inf).logsumexp(dim=2)  # of all poses but the one in the row
    return (
        torch.cat([pose - total, inside[:, poses:]], dim=1),
        torch.cat([others - total, outside[:, poses:]], dim=1),
    )


def multi_label_loss(logits: Tensor, targets: Tensor, poses: int = 0) -> Tensor:
    """Binary cross-entropy of every entry, (N, C), not reduced."""
    inside, outside = log_probabilities(logits, poses)
    return -(targets * inside + (1 - targets) * outside)


def pseudo_label_loss(logits: Tensor, pseudo: PseudoTargets, poses: int = 0) -> Tensor:
    """l_cls of eq. 4 (MM 2022), (N, C): positives and negatives with their weights, nothing for ignored entries."""
    inside, outside = log_probabilities(logits, poses)
    positive = pseudo.positive_weight * pseudo.labels * inside
    return -(positive + pseudo.negative_weight * (1 - pseudo.labels) * outside)


def balanced_mean(losses: Tensor, mask: Tensor | None = None, weights: Tensor | None = None) -> Tensor:
    """1 / (N C) sum_i m_i sum_j w^j l^ij (eqs. 15 and 16): masked instances stay in N. Zero for no instance at all."""
    if mask is not None:
        losses = losses * mask[:, None].to(losses.dtype)
    if weights is not None:
        losses = losses * weights.to(losses.dtype)
    return losses.sum() / max(losses.numel(), 1)
