"""Background modelling (Nguyen, Ramanan and Fowlkes, ICCV 2019): attention separated from its complement.

The authors released nothing. The three terms and their recipe are those of DGAM's released code, without its generative
term; the clustering term of the paper is absent there and here. Two ways to localize: DGAM's, and STPN's rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from methods.networks.softmax import class_softmax
from methods.weak_localization.parts.base import spread
from methods.weak_localization.parts.localize import NonMaximumSuppression, localize
from methods.weak_localization.parts.proposals import Runs, ranked_runs, side_means, upsample
from methods.weak_localization.parts.sampling import uniform_index
from methods.weak_localization.parts.two_stream import AttentionScores, TwoStreamLocalizer, bias_of
from suite.evaluate.segments import Segments
from suite.method import Batch, Losses, Optimizer, Presets, Run, Scores, Selection, Value, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

CUT = 4  # standard deviations of the Gaussian's radius
FEWEST = 50  # positions of a short video at inference, as DGAM's released code has it
ACTIVATION_SHARE = 0.8  # of the thresholded signal; the rest is squared attention


def smoothed(signal: Tensor, sigma: float) -> Tensor:
    """(B, T, ...) smoothed over time by a Gaussian of ``sigma`` positions, cut at four sigma.

    The signal is mirrored at its ends, the end itself repeated, as often as it takes.
    """
    radius, positions = int(CUT * sigma + 0.5), signal.shape[1]
    offset = torch.arange(-radius, radius + 1, device=signal.device)
    kernel = torch.exp(-0.5 * (offset.to(signal.dtype) / sigma) ** 2)
    # Mirrored with the end repeated, a signal of T positions has the period 2 T: its second half runs backwards.
    place = (torch.arange(positions, device=signal.device)[:, None] + offset) % (2 * positions)
    place = torch.where(place < positions, place, 2 * positions - 1 - place)
    return torch.einsum("btk...,k->bt...", signal[:, place], kernel / kernel.sum())


def attended(scores: AttentionScores, attention: Tensor, least: float) -> Tensor:
    """(B, 2, C) activations of features averaged by ``attention`` (B, T, 2): Σ λ x / (Σ λ + ``least``)."""
    total = (attention[..., None] * scores.activation).sum(dim=1)
    return total / (attention.sum(dim=1)[..., None] + least)


def attention_guide(activation: Tensor, labels: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """What attention should be like, (B, T, 2) each: smoothed probability of the video's classes, and of background.

    Of several classes the most likely counts. Constants for the gradient. ``activation`` (B, T, 2, C + 1).
    """
    probability = smoothed(class_softmax(activation.detach()), sigma)
    action = (probability[..., :-1] * labels[:, None, None]).amax(dim=-1)
    return action, probability[..., -1]


def background_losses(scores: AttentionScores, bias: Tensor, labels: Tensor, sigma: float) -> Losses:
    """Foreground, background and guide terms, unweighted, summed over modalities; the last class is background.

    What attention keeps shows the video's classes, what it leaves shows background, and attention agrees with the
    smoothed class probabilities of its own snippets. ``labels`` (B, C), activations (B, T, 2, C + 1).
    """
    target = F.pad(spread(labels), (0, 1))[:, None]
    foreground = F.log_softmax(attended(scores, scores.attention, 1.0) + bias, dim=-1)
    background = F.log_softmax(attended(scores, 1 - scores.attention, 1e-6) + bias, dim=-1)
    action, rest = attention_guide(scores.activation, labels, sigma)
    guide = (scores.attention - action).abs() + (scores.attention - (1 - rest)).abs()
    return {
        "foreground": -(target * foreground).sum(dim=(1, 2)).mean(),
        "background": -background[..., -1].sum(dim=1).mean(),
        "guide": guide.mean(dim=1).sum(dim=1).mean(),
    }


# bfshi/DGAM@752bd45: lib/core/config.py, function.py; the best test mAP every 10 epochs, for each modality by itself.
PUBLISHED: dict[str, Value] = {
    "lr": 1e-3,
    "weight_decay": 0.0,
    "first_moment": 0.8,
    "batch": 32,
    "whole_batches": True,
    "epochs": 6000,
    "evaluate_every": 10,
    "positions": 400,
    "hidden": 256,
    "initialization": "default",
    "inference": "dgam",
    "scale": 20,
    "skip_first": True,
    "suppress": "shared",
}


class BackgroundModelling(TwoStreamLocalizer):
    """Attention-weighted features are of a class, the rest are background."""

    name = "background-modelling"
    aliases = ("bm",)
    title = "BM"
    paper = "Nguyen et al., ICCV 2019"
    presets: ClassVar[Presets] = {"recommended": {}, "published": PUBLISHED}
    published_selection: ClassVar[Selection] = "oracle"
    fallback = True

    lr: float = hyper(1e-3, low=1e-7, high=1.0, log=True, packed=True, source="DGAM's released code")
    batch: int = hyper(32, low=1, high=4096, source="DGAM's released code")
    initialization: str = hyper("default", choices=("xavier", "default"), source="DGAM's released code: PyTorch's own")
    first_moment: float = hyper(0.8, low=0.0, high=0.999, symbol="β₁", source="DGAM's released code", help="Adam's")
    whole_batches: bool = hyper(
        False, source="DGAM's released code: yes", help="leave out the last batch of an epoch where it is smaller"
    )
    background_weight: float = hyper(0.03, low=0.0, high=10.0, packed=True, source="DGAM's released code")
    guide_weight: float = hyper(0.1, low=0.0, high=10.0, packed=True, source="DGAM's released code")
    sigma: float = hyper(1.0, low=0.1, high=20.0, symbol="σ", source="DGAM's released code", help="positions")
    inference: str = hyper(
        "dgam", choices=("dgam", "stpn"), post=True, source="DGAM's released code", help="how proposals are made"
    )
    threshold_rgb: float = hyper(0.03, low=0.0, high=1.0, post=True, source="DGAM's released code", help="for dgam")
    threshold_flow: float = hyper(0.08, low=0.0, high=1.0, post=True, source="DGAM's released code", help="for dgam")
    own_share_rgb: float = hyper(0.35, low=0.0, high=1.0, post=True, source="DGAM's released code", help="for dgam")
    own_share_flow: float = hyper(0.65, low=0.0, high=1.0, post=True, source="DGAM's released code", help="for dgam")
    outer_weight: float = hyper(0.3, low=0.0, high=10.0, post=True, source="DGAM's released code", help="for dgam")

    # Training ---------------------------------------------------------------------------------------------------

    def optimizer(self) -> Optimizer:
        """Adam without weight decay."""
        return Optimizer("adam", self.lr, self.weight_decay, betas=(self.first_moment, 0.999))

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        for batch in super().batches(run, generator):
            if not self.whole_batches or len(batch["video"]) == self.batch:
                yield batch

    def outputs_of(self, data: TaskData[Videos]) -> int:
        return len(data.classes) + 1

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        scores, labels = self.outputs(network, batch, run), self.labels(run, batch)
        weights = {"foreground": 1.0, "background": self.background_weight, "guide": self.guide_weight}
        parts = background_losses(scores, bias_of(network), labels, self.sigma)
        return {name: weights[name] * part for name, part in parts.items()}

    # Inference --------------------------------------------------------------------------------------------------

    def probability(self, logits: Tensor) -> Tensor:
        return class_softmax(logits)

    def pooled(self, scores: AttentionScores) -> Tensor:
        share = scores.attention / scores.attention.sum(dim=1, keepdim=True).clamp(min=1e-12)
        return (share[..., None] * scores.activation).sum(dim=1)

    def places(self, length: int) -> np.ndarray:
        return uniform_index(length, min(self.positions, max(length, FEWEST)))

    def proposals(self, scores: Scores, samples: Videos) -> Segments:
        if self.inference == "stpn":
            return super().proposals(scores, samples)
        nothing = NonMaximumSuppression("none")  # signals come upsampled: attention is squared after that
        return localize(self.activations(scores, samples), samples, self.contrast, 1, nothing)

    def signals(self, activation: np.ndarray, attention: np.ndarray, stream: int) -> tuple[np.ndarray, np.ndarray]:
        if self.inference == "stpn":
            return super().signals(activation, attention, stream)
        share, threshold = (
            (self.own_share_rgb, self.threshold_rgb) if stream == 0 else (self.own_share_flow, self.threshold_flow)
        )
        weight = attention[:, stream, None]
        own, other = (torch.from_numpy(activation[:, s]).sigmoid().numpy() for s in (stream, 1 - stream))
        rank = upsample(weight**2 * (share * own + (1 - share) * other), self.scale)
        squared = upsample(weight, self.scale) ** 2
        signal = ACTIVATION_SHARE * upsample(weight * own, self.scale) + (1 - ACTIVATION_SHARE) * squared
        return signal - threshold, rank

    def contrast(self, signal: np.ndarray, probability: float, rank: np.ndarray) -> Runs:
        """Runs above the threshold, scored by their mean less a share of the means on both sides."""
        runs = ranked_runs(signal > 0, rank)
        around = side_means(rank, runs.first, runs.last, (runs.last - runs.first + 1) // 4 + 1)
        return Runs(runs.first, runs.last, runs.score - self.outer_weight * around.sum(axis=0))
