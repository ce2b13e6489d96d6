"""BaSNet's network: a classifier with a background class, applied to features as they are and filtered (AAAI 2020)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from methods.weak_localization.parts.networks import check_width


class BaSNetScores(NamedTuple):
    """Class activations (B, T, C + 1) of the base and the suppressed branch, and foreground weights (B, T).

    The last class is background.
    """

    base: Tensor
    suppressed: Tensor
    foreground: Tensor

    def base_probability(self, divisor: int) -> Tensor:
        """(B, C + 1) video probabilities of the base branch."""
        return video_probability(self.base, divisor)

    def suppressed_probability(self, divisor: int) -> Tensor:
        """(B, C + 1) video probabilities of the suppressed branch."""
        return video_probability(self.suppressed, divisor)


def video_probability(activation: Tensor, divisor: int) -> Tensor:
    """Softmax (B, C) of the mean of the T // divisor largest activations of each class; ``activation`` (B, T, C)."""
    best = activation.topk(max(1, activation.shape[1] // divisor), dim=1).values
    return best.mean(dim=1).softmax(dim=1)


class BaSNetNet(nn.Module):
    """Filter F → H1 → 1 (kernel 1) and classifier F → H → H (kernel 3) → C + 1 (kernel 1, no bias)."""

    def __init__(
        self, width: int, filter_hidden: int, hidden: int, classes: int, dropout: float = 0.7, slope: float = 0.01
    ) -> None:
        super().__init__()
        self.width = width
        self.filter = nn.Sequential(
            nn.Conv1d(width, filter_hidden, 1), nn.LeakyReLU(slope), nn.Conv1d(filter_hidden, 1, 1), nn.Sigmoid()
        )
        self.activation = nn.Sequential(
            nn.Conv1d(width, hidden, 3, padding=1),
            nn.LeakyReLU(slope),
            nn.Conv1d(hidden, hidden, 3, padding=1),
            nn.LeakyReLU(slope),
        )
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Conv1d(hidden, classes + 1, 1, bias=False)

    def activate(self, features: Tensor) -> Tensor:
        """Class activations (B, T, C + 1) of features (B, D, T)."""
        scores: Tensor = self.classifier(self.dropout(self.activation(features)))
        return scores.transpose(1, 2)

    def forward(self, features: Tensor) -> BaSNetScores:
        """Scores of features (B, T, D)."""
        check_width(features, self.width)
        channels_first = features.transpose(1, 2)
        foreground = self.filter(channels_first)
        suppressed = self.activate(channels_first * foreground)
        return BaSNetScores(self.activate(channels_first), suppressed, torch.squeeze(foreground, 1))
