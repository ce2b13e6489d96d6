"""Multi-label losses of actor detection: cross-entropy from logits, balanced means, distribution-balanced loss."""

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


def rebalanced_weights(
    targets: Tensor, counts: Tensor, alpha: float = 0.1, beta: float = 10.0, mu: float = 0.2
) -> Tensor:
    """Smoothed re-balancing weights of the distribution-balanced loss, (N, C) (Wu et al., ECCV 2020, eqs. 3 to 5).

    r = (1/n^k) / sum over the instance's classes of 1/n^c, the rate at which class-aware sampling should have drawn the
    instance for class k against the rate at which it did; then alpha + sigmoid(beta (r - mu)). An instance without
    labels is never drawn by such sampling: its r is 0.
    """
    rarity = (1 / counts.clamp(min=1)).to(targets.dtype)
    drawn = targets @ rarity
    ratio = torch.where(drawn[:, None] > 0, rarity / drawn.clamp(min=1e-12)[:, None], torch.zeros_like(targets))
    return alpha + torch.sigmoid(beta * (ratio - mu))


def distribution_balanced_loss(
    logits: Tensor,
    targets: Tensor,
    counts: Tensor,
    total: int,
    smoothing: tuple[float, float, float] = (0.1, 10.0, 0.2),
    kappa: float = 0.05,
    scale: float = 2.0,
    focusing: float = 2.0,
) -> Tensor:
    """Distribution-balanced loss of every entry, (N, C): re-balanced weights and negative-tolerant logits (ECCV 2020).

    Args:
        counts: (C,) instances of each class among ``total``.
        smoothing: alpha, beta, mu of :func:`rebalanced_weights`.
        kappa: strength of the class-specific bias, -log(1/prior - 1), added to logits.
        scale: lambda: logits of negatives are stretched by it and their loss divided by it.
        focusing: exponent of the focal factor (0 for none).
    """
    prior = (counts.clamp(min=1) / max(total, 1)).clamp(max=1 - 1e-6)
    shifted = logits + kappa * torch.logit(prior).to(logits.dtype)
    stretched = torch.where(targets > 0, shifted, scale * shifted)
    loss = F.binary_cross_entropy_with_logits(stretched, targets, reduction="none")
    focus = (1 - torch.exp(-loss)) ** focusing if focusing else torch.ones_like(loss)
    weights = rebalanced_weights(targets, counts, *smoothing)
    return torch.where(targets > 0, loss, loss / scale) * weights * focus
