"""EM-MIL's networks: key positions and their classes for each modality, and a classifier of videos (ECCV 2020)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from methods.networks.convolutions import TimeConvolution
from methods.weak_localization.parts.networks import check_width, halves
from methods.weak_localization.parts.padding import time_mask

STREAMS = 2


class EMScores(NamedTuple):
    """Probability that a position is key (B, T, 2) and of each class (B, T, 2, C), one for each modality.

    Beyond a video's end they mean nothing.
    """

    key: Tensor
    label: Tensor


class EMNetwork(nn.Module):
    """For each modality two networks, kernel 3 then 1: one finds key positions, the other their classes.

    ``untrimmed``: also a classifier of whole videos (``video``), trained by itself.
    """

    def __init__(self, width: int, hidden: int, classes: int, untrimmed: bool = False) -> None:
        super().__init__()
        self.width, self.channels = width, halves(width)
        self.key = nn.ModuleList(self._branch(hidden, 1) for _ in range(STREAMS))
        self.label = nn.ModuleList(self._branch(hidden, classes) for _ in range(STREAMS))
        self.video = UntrimmedNet(self.channels, classes) if untrimmed else None

    def _branch(self, hidden: int, out: int) -> nn.Sequential:
        return nn.Sequential(TimeConvolution(self.channels, hidden, 3), nn.ReLU(), TimeConvolution(hidden, out))

    def views(self, features: Tensor) -> list[Tensor]:
        """Features (B, T, D/2) of each modality, RGB first."""
        check_width(features, self.width)
        return list(features.unflatten(-1, (STREAMS, self.channels)).unbind(dim=-2))

    def forward(self, features: Tensor) -> EMScores:
        """Probabilities of features (B, T, D), zero beyond a video's end."""
        views = [view.contiguous() for view in self.views(features)]
        key = torch.cat([net(view) for net, view in zip(self.key, views)], dim=-1)
        label = torch.stack([net(view) for net, view in zip(self.label, views)], dim=2)
        return EMScores(key.sigmoid(), label.sigmoid())

    def video_probability(self, features: Tensor, lengths: Tensor) -> Tensor:
        """(B, C) class probabilities of whole videos (B, T, D); for a network with ``untrimmed`` only."""
        assert self.video is not None
        probability: Tensor = self.video(self.views(features), lengths)
        return probability


class UntrimmedNet(nn.Module):
    """Attention over time and a softmax over classes, both means of the modalities, multiplied and summed over time.

    The idea is that of UntrimmedNet (Wang et al., CVPR 2017), linear on each snippet.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.attend = nn.ModuleList(nn.Linear(channels, 1) for _ in range(STREAMS))
        self.classify = nn.ModuleList(nn.Linear(channels, classes) for _ in range(STREAMS))

    def forward(self, views: list[Tensor], lengths: Tensor) -> Tensor:
        """(B, C) probabilities of features (B, T, D/2) of each modality."""
        valid = time_mask(lengths, views[0].shape[1])
        attention, label = torch.zeros(()), torch.zeros(())
        for attend, classify, view in zip(self.attend, self.classify, views):
            score = attend(view).squeeze(-1).masked_fill(~valid, -torch.inf)
            attention = attention + score.softmax(dim=1) / STREAMS
            label = label + classify(view).softmax(dim=-1) / STREAMS
        return torch.einsum("bt,btc->bc", attention, label)


def video_loss(probability: Tensor, labels: Tensor, released_sign: bool = False) -> Tensor:
    """Cross entropy of video probabilities (B, C) against labels divided by their number, batch mean.

    ``released_sign``: without the minus, as the released code has it, which makes true classes unlikely.
    """
    target = F.normalize(labels, p=1.0, dim=1)
    loss = (target * probability.clamp(min=torch.finfo(probability.dtype).tiny).log()).sum(dim=1).mean()
    return loss if released_sign else -loss
