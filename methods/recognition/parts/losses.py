"""Losses that learn a label set from one positive label.

Every function takes ``logits`` (B, C) and a ``target`` (B, C) in [0, 1]; the target of a single label is its one-hot
row, and a multi-hot target works as well (validation data may have one). Logarithms are taken of the sigmoid in one
stable step, so logits of any size give finite values and gradients. Constants may be tensors (one value per
packed network).

``reduction``: ``code`` sums over classes and averages over the batch, as the released code of An Action Is Worth
Multiple Words (BMVC 2022) does; ``paper`` also divides by the number of classes that count (eq. 1 and 2).

``known`` (B, C) bool, where given, says which entries are labelled at all: the others are unknown and do not count.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

Constant = float | Tensor


def one_hot(labels: Tensor, classes: int, like: Tensor) -> Tensor:
    """(B,) class indices as a (B, C) one-hot target of the type of ``like``."""
    return F.one_hot(labels, classes).to(like.dtype)


def reduce(elements: Tensor, reduction: str, kept: Tensor | None = None) -> Tensor:
    """Element losses (B, C) to a scalar; ``kept`` (B, C) says which elements count (all of them by default)."""
    if kept is not None:
        elements = torch.where(kept, elements, 0.0)
    sums = elements.sum(dim=1)
    if reduction == "paper":
        sums = sums / (elements.shape[1] if kept is None else kept.sum(dim=1).clamp(min=1))
    return sums.mean()


def mean_of(elements: Tensor, kept: Tensor | None = None) -> Tensor:
    """The mean over those element losses (B, C) that count."""
    return elements.mean() if kept is None else torch.where(kept, elements, 0.0).sum() / kept.sum().clamp(min=1)


def log_probability(logits: Tensor, offset: float = 0.0) -> Tensor:
    """``log σ(z)``, or ``log(σ(z) + offset)``: with 1e-5 (CVPR 2021, ECCV 2022) a wrong entry costs at most 11.5."""
    return torch.log(logits.sigmoid() + offset) if offset else F.logsigmoid(logits)


def cross_entropy_elements(logits: Tensor, target: Tensor, offset: float = 0.0) -> Tensor:
    """Binary cross-entropy of each class: ``-t log σ(z) - (1 - t) log σ(-z)``."""
    return -(target * log_probability(logits, offset) + (1 - target) * log_probability(-logits, offset))


def binary_entropy(logits: Tensor, offset: float = 0.0) -> Tensor:
    """Entropy in nats of each class's own Bernoulli distribution."""
    return cross_entropy_elements(logits, logits.sigmoid(), offset)


def assume_negative(
    logits: Tensor, target: Tensor, reduction: str = "code", offset: float = 0.0, known: Tensor | None = None
) -> Tensor:
    """AN: what is not annotated is negative (eq. 1; Cole et al., CVPR 2021)."""
    return reduce(cross_entropy_elements(logits, target, offset), reduction, known)


def weak_assume_negative(
    logits: Tensor,
    target: Tensor,
    gamma: Constant,
    reduction: str = "code",
    offset: float = 0.0,
    known: Tensor | None = None,
) -> Tensor:
    """WAN: the assumed negatives weigh ``gamma``, usually 1/(C - 1), so that together they weigh as the positive."""
    positive, negative = log_probability(logits, offset), log_probability(-logits, offset)
    return reduce(-(target * positive + gamma * (1 - target) * negative), reduction, known)


def label_smoothing(
    logits: Tensor, target: Tensor, epsilon: Constant, reduction: str = "code", known: Tensor | None = None
) -> Tensor:
    """LS: both targets are smoothed, ``t (1 - ε) + ε / C``."""
    return assume_negative(logits, target * (1 - epsilon) + epsilon / logits.shape[1], reduction, known=known)


def plain_label_smoothing(
    logits: Tensor,
    target: Tensor,
    epsilon: Constant,
    reduction: str = "code",
    offset: float = 0.0,
    known: Tensor | None = None,
) -> Tensor:
    """LS of Cole et al. (CVPR 2021): targets 1 - ε and ε, the latter not divided by the number of classes."""
    return assume_negative(logits, target * (1 - epsilon) + (1 - target) * epsilon, reduction, offset, known)


def negative_label_smoothing(
    logits: Tensor, target: Tensor, epsilon: Constant, reduction: str = "code", known: Tensor | None = None
) -> Tensor:
    """N-LS: only the targets of assumed negatives are smoothed, ``t + (1 - t) ε / C``."""
    return assume_negative(logits, target + (1 - target) * epsilon / logits.shape[1], reduction, known=known)


def focal(logits: Tensor, target: Tensor, alpha: Constant, gamma: Constant, known: Tensor | None = None) -> Tensor:
    """Focal loss (Lin et al., ICCV 2017), a mean over batch and classes: cross-entropy times ``α_t (1 - p_t)^γ``."""
    miss = target * F.logsigmoid(-logits) + (1 - target) * F.logsigmoid(logits)  # log(1 - p_t)
    balance = alpha * target + (1 - alpha) * (1 - target)
    return mean_of(balance * torch.exp(gamma * miss) * cross_entropy_elements(logits, target), known)


def entropy_maximization(
    logits: Tensor, target: Tensor, alpha: Constant, reduction: str = "code", offset: float = 0.0
) -> Tensor:
    """EM: the entropy of unknown classes is maximized, ``-log p_y - α Σ H(p_c)`` (Zhou et al., ECCV 2022)."""
    unknown = (1 - target) * alpha * binary_entropy(logits, offset)
    return reduce(-target * log_probability(logits, offset) - unknown, reduction)


def mask_bce(
    logits: Tensor, target: Tensor, pseudo: Tensor, reduction: str = "code", known: Tensor | None = None
) -> Tensor:
    """Mask BCE (eq. 2): pseudo-labels, (B, C) bool without the annotated class, do not count."""
    kept = ~pseudo if known is None else ~pseudo & known
    return reduce(cross_entropy_elements(logits, target), reduction, kept=kept)


def pseudo_single_bce(
    logits: Tensor, target: Tensor, pseudo: Tensor, reduction: str = "code", known: Tensor | None = None
) -> Tensor:
    """P+S BCE (eq. 3): pseudo-labels, (B, C) bool, are positives like the annotated class, also of unknown entries."""
    kept = None if known is None else known | pseudo
    return assume_negative(logits, torch.where(pseudo, 1.0, target), reduction, known=kept)


def label_count_penalty(probabilities: Tensor, cardinality: Constant) -> Tensor:
    """``((mean over the batch of Σ_c p_c - k) / C)²``: how far the predicted number of labels is from ``k``."""
    return ((probabilities.sum(dim=1).mean() - cardinality) / probabilities.shape[1]) ** 2


def expected_positive_regularization(
    logits: Tensor, target: Tensor, cardinality: Constant, offset: float = 0.0
) -> Tensor:
    """EPR (Cole et al., CVPR 2021): log-likelihood of the annotated classes, mean over B·C, plus the count penalty."""
    annotated = -(target * log_probability(logits, offset)).mean()
    return annotated + label_count_penalty(logits.sigmoid(), cardinality)


def joint_estimation(
    logits: Tensor, estimates: Tensor, target: Tensor, cardinality: Constant, offset: float = 0.0
) -> Tensor:
    """ROLE (Cole et al., CVPR 2021): classifier and label estimates (B, C), as logits, fit each other; mean over B·C.

    Half the cross-entropy toward the annotated class and the other side's detached probability, half the regularizer on
    the number of positives, for each of the two sides.
    """
    total = logits.new_zeros(())
    for side, other in ((logits, estimates), (estimates, logits)):
        known = -target * log_probability(side, offset)
        agreement = cross_entropy_elements(side, other.detach().sigmoid(), offset)
        total = total + 0.5 * (known + agreement).mean() + 0.5 * label_count_penalty(side.sigmoid(), cardinality)
    return total


def entropy_with_soft_negatives(
    logits: Tensor,
    target: Tensor,
    stored: Tensor,
    chosen: Tensor,
    alpha: Constant,
    beta: Constant,
    offset: float = 0.0,
) -> Tensor:
    """EM with asymmetric pseudo-labels (Zhou et al., ECCV 2022), mean over B·C.

    Where ``chosen`` (B, C) bool, cross-entropy toward the ``stored`` (B, C) probabilities, weighted by ``beta``, takes
    the place of the entropy term.
    """
    unknown = -alpha * binary_entropy(logits, offset)
    soft = beta * cross_entropy_elements(logits, stored, offset)
    annotated = -target * log_probability(logits, offset)
    return (annotated + (1 - target) * torch.where(chosen, soft, unknown)).mean()
