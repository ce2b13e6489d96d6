"""The distribution-balanced loss and its weights (Wu et al., ECCV 2020), in the paper's and in the released reading.

N instances, C classes; ``counts`` (C,) instances of each class among ``total``. The released code differs in three
points: the class bias is divided by λ as well, instances without labels have the largest weight, and everything is
multiplied by 2 (``balance_param``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Reweighting = Literal["rebalanced", "inverse", "sqrt-inverse", "effective-number"]
EmptyRows = Literal["light", "heavy"]


@dataclass(frozen=True)
class Rebalancing:
    """How entries are weighted.

    ``alpha``, ``beta``, ``mu``: of the smoothing (eq. 5). ``empty``: an instance without labels is never drawn by
    class-aware sampling: ``light`` takes its ratio as 0, ``heavy`` as infinite, as released. ``decay``: of the
    effective number. ``normalize``: an instance's largest weight becomes 1.
    """

    kind: Reweighting = "rebalanced"
    alpha: float = 0.1
    beta: float = 10.0
    mu: float = 0.2
    empty: EmptyRows = "light"
    decay: float = 0.9
    normalize: bool = False

    def weights(self, targets: Tensor, counts: Tensor, total: int) -> Tensor:
        """(N, C) or broadcastable to it."""
        counts = counts.clamp(min=1).to(targets.dtype)
        if self.kind == "rebalanced":
            weights = self._smoothed(targets, 1 / counts)
        elif self.kind == "effective-number":  # mean over the instance's own classes
            of_class = (1 - self.decay) / (1 - self.decay**counts)
            weights = (targets @ of_class / targets.sum(dim=1))[:, None].expand_as(targets)
        else:
            inverse = total / counts
            weights = (inverse if self.kind == "inverse" else inverse.sqrt()).expand_as(targets)
        return weights / weights.amax(dim=1, keepdim=True) if self.normalize else weights

    def _smoothed(self, targets: Tensor, rarity: Tensor) -> Tensor:
        """Eqs. 3 to 5: r, the rate at which class-aware sampling draws the instance for class k against the rate at
        which it draws it at all, (1/n^k) / sum over own classes of 1/n^c; then alpha + sigmoid(beta (r - mu))."""
        drawn = (targets @ rarity)[:, None]
        ratio = torch.where(drawn > 0, rarity / drawn.clamp(min=torch.finfo(targets.dtype).tiny), 0.0)
        if self.empty == "heavy":
            ratio = ratio.masked_fill(drawn == 0, torch.inf)
        return self.alpha + torch.sigmoid(self.beta * (ratio - self.mu))


@dataclass(frozen=True)
class Tolerance:
    """How logits are regularized: ``kappa`` scales the class bias, ``scale`` is λ of negatives, ``divided`` says
    whether the bias is divided by λ too (released code). ``focusing``: exponent of the focal factor, 0 for none.
    ``factor``: of the whole loss (2 in the released code)."""

    kappa: float = 0.05
    scale: float = 2.0
    divided: bool = False
    focusing: float = 2.0
    factor: float = 1.0

    def bias(self, counts: Tensor, total: int) -> Tensor:
        """(C,) -kappa log(1/prior - 1), which is added to logits; finite for a class that everybody has, or nobody."""
        prior = (counts.clamp(min=1) / max(total, 1)).clamp(max=1 - 1e-6)
        return torch.logit(prior) * (self.kappa / (self.scale if self.divided else 1.0))


def distribution_balanced_loss(
    logits: Tensor, targets: Tensor, counts: Tensor, total: int, rebalancing: Rebalancing, tolerance: Tolerance
) -> Tensor:
    """Distribution-balanced loss of every entry, (N, C): weights, and logits of negatives stretched by λ (eq. 7)."""
    shifted = logits + tolerance.bias(counts, total).to(logits.dtype)
    stretched = torch.where(targets > 0, shifted, tolerance.scale * shifted)
    loss = F.binary_cross_entropy_with_logits(stretched, targets, reduction="none")
    # Of hard targets exp(-loss) is the probability of the right answer; from the shifted and stretched logits, as
    # released.
    focus = (1 - torch.exp(-loss)) ** tolerance.focusing if tolerance.focusing else torch.ones_like(loss)
    weights = rebalancing.weights(targets, counts, total)
    return tolerance.factor * torch.where(targets > 0, loss, loss / tolerance.scale) * weights * focus
