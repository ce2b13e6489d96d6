"""Background modelling (Nguyen, Ramanan and Fowlkes, ICCV 2019): attention told apart from its complement.

No official code exists. The three terms are those of DGAM's released code; the clustering term is absent there and
here.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from methods.weak_localization.basnet import spread
from methods.weak_localization.parts.two_stream import AttentionScores, TwoStreamLocalizer, bias_of
from suite.method import Batch, Losses, Run, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos


def smoothed(signal: Tensor, sigma: float) -> Tensor:
    """(B, T, ...) smoothed over time by a Gaussian of ``sigma`` positions, cut at three sigma, edges repeated."""
    radius = max(1, round(3 * sigma))
    offset = torch.arange(-radius, radius + 1, dtype=signal.dtype, device=signal.device)
    kernel = torch.exp(-0.5 * (offset / sigma) ** 2)
    flat = signal.flatten(2).transpose(1, 2)
    padded = F.pad(flat, (radius, radius), mode="replicate")
    weights = (kernel / kernel.sum()).expand(flat.shape[1], 1, -1)
    return F.conv1d(padded, weights, groups=flat.shape[1]).transpose(1, 2).reshape(signal.shape)


def attended(scores: AttentionScores, bias: Tensor, attention: Tensor) -> Tensor:
    """(B, 2, C) logits of features averaged by ``attention`` (B, T, 2): Σ λ x / (Σ λ + 1)."""
    total = (attention[..., None] * scores.activation).sum(dim=1)
    return total / (attention.sum(dim=1)[..., None] + 1) + bias


def background_losses(
    scores: AttentionScores, bias: Tensor, labels: Tensor, background_weight: float, guide_weight: float, sigma: float
) -> Losses:
    """Foreground, background and guide terms, summed over modalities; the last class is background.

    What attention keeps shows the video's classes, what it leaves shows background, and attention agrees with the
    smoothed class probabilities of its own snippets. ``labels`` (B, C), activations (B, T, 2, C + 1).
    """
    target = F.pad(spread(labels), (0, 1))[:, None]
    foreground = F.log_softmax(attended(scores, bias, scores.attention), dim=-1)
    background = F.log_softmax(attended(scores, bias, 1 - scores.attention), dim=-1)
    snippet = scores.activation.softmax(dim=-1)
    action = (snippet[..., :-1] * labels[:, None, None]).sum(dim=-1)
    guide = (scores.attention - smoothed(action, sigma)).abs()
    guide = guide + (scores.attention - (1 - smoothed(snippet[..., -1], sigma))).abs()
    return {
        "foreground": -(target * foreground).sum(dim=(1, 2)).mean(),
        "background": -background_weight * background[..., -1].sum(dim=1).mean(),
        "guide": guide_weight * guide.mean(dim=1).sum(dim=1).mean(),
    }


class BackgroundModelling(TwoStreamLocalizer):
    """Attention-weighted features are of a class, the rest are background."""

    name = "background-modelling"
    title = "BM"
    paper = "Nguyen et al., ICCV 2019"

    background_weight: float = hyper(0.03, low=0.0, high=10.0, packed=True, source="DGAM's released code")
    guide_weight: float = hyper(0.1, low=0.0, high=10.0, packed=True, source="DGAM's released code")
    sigma: float = hyper(1.0, low=0.1, high=20.0, symbol="σ", source="DGAM's released code", help="positions")

    def outputs_of(self, data: TaskData[Videos]) -> int:
        return len(data.classes) + 1

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        scores, labels = self.outputs(network, batch, run), self.labels(run, batch)
        return background_losses(
            scores, bias_of(network), labels, self.background_weight, self.guide_weight, self.sigma
        )

    def probability(self, logits: Tensor) -> Tensor:
        return logits.softmax(dim=-1)

    def rank_of(self, activation: np.ndarray) -> np.ndarray:
        return self.probability(torch.from_numpy(activation)).numpy()

    def pooled(self, scores: AttentionScores) -> Tensor:
        return attended(scores, torch.zeros(()), scores.attention)
