"""BaSNet's network: a classifier with a background class, applied to features as they are and filtered (AAAI 2020)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from methods.networks.convolutions import TimeConvolution
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
            TimeConvolution(width, filter_hidden), nn.LeakyReLU(slope), TimeConvolution(filter_hidden, 1), nn.Sigmoid()
        )
        self.activation = nn.Sequential(
            TimeConvolution(width, hidden, 3),
            nn.LeakyReLU(slope),
            TimeConvolution(hidden, hidden, 3),
            nn.LeakyReLU(slope),
        )
        self.dropout = nn.Dropout(dropout)
        self.classifier = TimeConvolution(hidden, classes + 1, bias=False)

    def activate(self, features: Tensor) -> Tensor:
        """Class activations (B, T, C + 1) of features (B, T, D)."""
        # A dropout is drawn in the order of (B, H, T), as the released code's.
        hidden = self.dropout(self.activation(features).transpose(1, 2).contiguous()).transpose(1, 2)
        scores: Tensor = self.classifier(hidden)
        return scores

    def forward(self, features: Tensor) -> BaSNetScores:
        """Scores of features (B, T, D)."""
        check_width(features, self.width)
        foreground = self.filter(features)
        suppressed = self.activate(features * foreground)
        return BaSNetScores(self.activate(features), suppressed, torch.squeeze(foreground, 2))
