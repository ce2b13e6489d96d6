"""Unlabeled class balancing: instance sampling and re-weighting under multi-label co-occurrence (MM 2022, §3.3).

N instances, C classes, ``labels`` (N, C) of 0 and 1. Classes may come in any order; where the paper sorts them by
frequency, ``rank`` says the place of a class (0 the most frequent, ties by index).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

import torch
from torch import Tensor

GapForm = Literal["paper", "exact"]
GapScale = Literal["mean", "own"]


def class_counts(labels: Tensor) -> Tensor:
    """n^j, (C,): instances that carry class j, in double precision."""
    return labels.to(torch.float64).sum(dim=0)


def frequency_rank(counts: Tensor) -> Tensor:
    """Place of each class in the order of descending frequency, (C,) int; equal counts keep the order of indices."""
    order = torch.argsort(counts, descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    return rank


def sampling_probabilities(counts: Tensor, beta: float, literal: bool = False) -> Tensor:
    """p^j of eq. 9, (C,): (mean count / n^j)^beta for classes above the mean count, 1 for the others.

    ``literal`` follows the print, which divides the mean RATIO (at most 1) by a count: then almost nothing is sampled.
    """
    counts = counts.clamp(min=1)
    level = (counts / counts.max()).mean() if literal else counts.mean()
    return torch.where(counts > level, (level / counts) ** beta, torch.ones_like(counts))


def assigned_class(labels: Tensor, rank: Tensor) -> Tensor:
    """k(i) of eq. 10, (N,) int: the rarest positive class of each instance, -1 where it has none."""
    rarity = torch.where(labels > 0, rank + 1, torch.zeros_like(rank))
    largest, k = rarity.max(dim=1)
    return torch.where(largest > 0, k, torch.full_like(k, -1))


def instance_probabilities(labels: Tensor, probabilities: Tensor, rank: Tensor, keep_empty: bool = True) -> Tensor:
    """Probability that each instance is used, (N,): p of its assigned class (eq. 8: one draw per instance).

    An instance without any positive has no class (the set J of eq. 10 is empty): ``keep_empty`` uses it always, as
    its negatives are reliable; otherwise never.
    """
    k = assigned_class(labels, rank)
    chosen = probabilities[k.clamp(min=0)]
    return torch.where(k >= 0, chosen, torch.full_like(chosen, float(keep_empty)))


def sampled_counts(labels: Tensor, probabilities: Tensor, form: GapForm = "paper") -> Tensor:
    """s^j, (C,): how many instances of class j the sampling is expected to use.

    ``paper`` is eq. 11, which takes "contains j and k" for "contains j, assigned to k": exact only while an instance
    has at most one class rarer than j, too large otherwise. ``exact`` adds up the probability of every instance's
    assigned class. A class without instances counts as one instance alone.
    """
    labels = labels.to(torch.float64)
    counts = labels.sum(dim=0)
    rank = frequency_rank(counts)
    if form == "exact":
        used = labels.T @ instance_probabilities(labels, probabilities, rank)
    else:
        together = labels.T @ labels
        # First as if every instance of j were assigned to j; each rarer class k that occurs with it then changes the
        # chance of those instances from p of j to p of k (eq. 11).
        rarer = (rank[None, :] > rank[:, None]).to(labels.dtype)  # [j, k]: k is rarer than j
        step = probabilities[None, :] - probabilities[:, None]
        used = counts * probabilities + (together * rarer * step).sum(dim=1)
    return torch.where(counts > 0, used, probabilities)


def gap_coefficient(sampled: Tensor, counts: Tensor, scale: GapScale = "mean") -> Tensor:
    """g^j of eq. 12, (C,): sampled instances of a class against the mean count, the number under balance.

    ``own`` is the first half of the printed equation, s^j / n^j, which contradicts its second half.
    """
    counts = counts.clamp(min=1)
    return sampled / (counts.mean() if scale == "mean" else counts)


def balanced_weights(gap: Tensor, gamma: float) -> Tensor:
    """w_g^j = (g^j)^-gamma (eq. 13), (C,)."""
    return gap**-gamma


@dataclass(frozen=True)
class Balance:
    """All that is fixed before training, from one set of labels: (C,) tensors in double precision.

    ``keep_empty``: whether people without any pseudo-label count (their set J of eq. 10 is empty; the paper is silent).
    """

    counts: Tensor
    rank: Tensor
    probabilities: Tensor
    gap: Tensor
    weights: Tensor
    keep_empty: bool = True

    @classmethod
    def of(
        cls,
        labels: Tensor,
        beta: float,
        gamma: float,
        form: GapForm = "paper",
        scale: GapScale = "mean",
        literal_probabilities: bool = False,
        keep_empty: bool = True,
    ) -> Balance:
        """Counts, ranks, p, g and w_g of ``labels`` (N, C); eqs. 9 and 11 to 13."""
        counts = class_counts(labels)
        probabilities = sampling_probabilities(counts, beta, literal_probabilities)
        gap = gap_coefficient(sampled_counts(labels, probabilities, form), counts, scale)
        return cls(counts, frequency_rank(counts), probabilities, gap, balanced_weights(gap, gamma), keep_empty)

    def to(self, device: torch.device) -> Balance:
        """The same on ``device``."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        moved = {name: value.to(device, non_blocking=True) for name, value in found.items() if name != "keep_empty"}
        return replace(self, **moved)

    @classmethod
    def none(cls, labels: Tensor) -> Balance:
        """No balancing: every instance used, every class weight 1."""
        counts = class_counts(labels)
        ones = torch.ones_like(counts)
        return cls(counts, frequency_rank(counts), ones, ones, ones)
