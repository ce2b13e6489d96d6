"""Several pseudo-labels per person from a teacher's scores: positives, negatives, ignored entries (MM 2022, §3.2).

N instances, C classes. Thresholds are (C,) tensors or numbers; the teacher's scores are probabilities without gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Stretch = Literal["concave", "linear", "convex"]
Gate = Literal["hard", "soft"]


@dataclass(frozen=True)
class PseudoTargets:
    """``labels`` (N, C) 1 for positives, 0 otherwise; ``positive_weight``, ``negative_weight`` (N, C) of eq. 4.

    An entry that is neither has both weights 0 where it counts: it is ignored.
    """

    labels: Tensor
    positive_weight: Tensor
    negative_weight: Tensor


def imbalance_ratio(counts: Tensor) -> Tensor:
    """eta^j = n^j / n^1, the share of the most frequent class, (C,) in (0, 1].

    A class without instances counts as one: with 0 its threshold would be 0 and everything a positive (§3.2.2).
    """
    counts = counts.clamp(min=1)
    return counts / counts.max()


def stretch(ratio: Tensor, mapping: Stretch) -> Tensor:
    """M(eta): concave eta^0.1, linear eta, convex eta / (2 - eta) (Table 7)."""
    if mapping == "concave":
        return ratio**0.1
    return ratio if mapping == "linear" else ratio / (2 - ratio)


def class_related_thresholds(
    ratio: Tensor, tau_positive: float, mapping: Stretch = "concave", tau_negative: float | None = None
) -> Tensor:
    """T_pos^j = M(eta^j) tau_pos (eq. 5), (C,).

    ``tau_negative`` keeps positive thresholds at or above the negative one; None is the printed form, in which the
    linear and the convex map fall below it for rare classes, so that what is surely negative becomes a positive.
    """
    thresholds = stretch(ratio, mapping) * tau_positive
    return thresholds if tau_negative is None else thresholds.clamp(min=tau_negative)


def thresholded_targets(teacher: Tensor, positive: Tensor | float, negative: float) -> PseudoTargets:
    """Eqs. 2 and 3: above ``positive`` 1, below ``negative`` 0, else ignored; the first wins where both hold."""
    labels = (teacher > positive).to(teacher.dtype)
    rejected = (teacher < negative).to(teacher.dtype) * (1 - labels)
    return PseudoTargets(labels, labels, rejected)


def gated_targets(
    teacher: Tensor, thresholds: Tensor, negative: float, steepness: float, gate: Gate = "hard"
) -> PseudoTargets:
    """Pseudo-labels whose positives are weighted by a sigmoid of their distance to a threshold that learns (eq. 6).

    The gradient reaches ``thresholds`` through the weight alone: labels are a step function of detached scores.

    Args:
        teacher: (N, C) probabilities.
        thresholds: (C,) T_pos, may require a gradient.
        negative: T_neg.
        steepness: a of eq. 6.
        gate: ``hard``: eq. 2 still decides what is a positive and the weight, then in (.5, 1], replaces eq. 3 (the
            order of Algorithm 1). ``soft``: the sigmoid is the threshold, all that is not negative is a positive.
    """
    teacher = teacher.detach()
    weight = gate_weight(teacher, thresholds, steepness)
    if gate == "hard":
        plain = thresholded_targets(teacher, thresholds.detach(), negative)
        return PseudoTargets(plain.labels, weight, plain.negative_weight)
    labels = (teacher >= negative).to(teacher.dtype)
    return PseudoTargets(labels, weight, 1 - labels)


def gate_weight(teacher: Tensor, thresholds: Tensor, steepness: float) -> Tensor:
    """w_pos = 1 / (1 + exp(-a (pred_t - T_pos))) (eq. 6 = 18), (N, C)."""
    return torch.sigmoid(steepness * (teacher - thresholds))


def threshold_penalty(thresholds: Tensor) -> Tensor:
    """l_r^j = -log T_pos^j + 2 T_pos^j (eq. 7 = 19), (C,): smallest, 1 + log 2, at one half."""
    return 2 * thresholds - thresholds.log()


def learning_status(confident: Tensor, people: int) -> Tensor:
    """FlexMatch's status of each class read for label sets, (C,) in [0, 1], from (N, C) bool ``confident``.

    Each class's count of confident people is divided by the largest count, or, while most of the ``people`` have no
    confident class at all, by the number of those (threshold warm-up; Zhang et al., NeurIPS 2021, eqs. 5 and 11).
    An instance counts once for every class above tau instead of for its arg-max alone.
    """
    counts = confident.sum(dim=0)
    unused = people - confident.any(dim=1).sum()
    return counts / torch.maximum(counts.max(), unused).clamp(min=1)


def single_label_status(selected: Tensor, status: Tensor, warm_up: bool = True) -> Tensor:
    """FlexMatch's status of each class as released, (C,), from the last confident class of each instance.

    Args:
        selected: (N,) int, -1 for an instance that never was confident.
        status: (C,) the status until now; it stays where no instance, or every one, shares one value of ``selected``
            (so in the released code, where a class that has every instance stops the updates).
        warm_up: instances that never were confident take part in the maximum.
    """
    counts = torch.bincount(selected + 1, minlength=len(status) + 1)
    if counts.max() >= len(selected):
        return status
    return counts[1:] / (counts if warm_up else counts[1:]).max()


def last_confident(selected: Tensor, rows: Tensor, teacher: Tensor, tau: float) -> Tensor:
    """``selected`` (N,) after a batch: the arg-max of ``rows`` whose greatest score (n, C) reaches ``tau``.

    An instance that is not confident now keeps its last confident class.
    """
    score, label = teacher.max(dim=1)
    after = selected.clone()
    after[rows] = torch.where(score >= tau, label, selected[rows])
    return after


def single_label_targets(teacher: Tensor, thresholds: Tensor | float, negative: float) -> PseudoTargets:
    """FixMatch and FlexMatch as released: the arg-max alone is a positive, where it reaches its class's threshold.

    Classes whose score is below ``negative`` are negatives of the instances that have a positive.
    """
    score, label = teacher.max(dim=1)
    needed = thresholds[label] if isinstance(thresholds, Tensor) else thresholds
    labels = torch.zeros_like(teacher)
    labels[torch.arange(len(teacher), device=teacher.device), label] = (score >= needed).to(teacher.dtype)
    rejected = (teacher < negative).to(teacher.dtype) * (1 - labels) * labels.amax(dim=1, keepdim=True)
    return PseudoTargets(labels, labels, rejected)
