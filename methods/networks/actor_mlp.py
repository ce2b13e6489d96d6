"""The feature-level network of actor detection: from an actor's feature vector to class logits."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from methods.networks.products import Linear


class ActorMLP(nn.Module):
    """Standardisation with fixed statistics, ``layers`` times Linear, ReLU and dropout, then Linear to the classes.

    No batch normalisation: labelled and unlabelled batches, and teacher and student, then see the same function of the
    weights, whatever else is in the batch.

    Args:
        mean, spread: (D,) statistics of the training features; a channel without spread is left as it is.
        classes: C. hidden: units of a hidden layer. layers: hidden layers, 0 for a linear classifier.
    """

    mean: Tensor
    spread: Tensor

    def __init__(
        self, mean: Tensor, spread: Tensor, classes: int, hidden: int = 256, layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean.float())
        self.register_buffer("spread", torch.where(spread > 0, spread, torch.ones_like(spread)).float())
        widths = [len(mean)] + [hidden] * layers
        blocks = [nn.Sequential(Linear(a, b), nn.ReLU(), nn.Dropout(dropout)) for a, b in pairwise(widths)]
        self.trunk = nn.Sequential(*blocks)
        self.classifier = Linear(widths[-1], classes)

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, D) to logits (N, C)."""
        logits: Tensor = self.classifier(self.trunk((features - self.mean) / self.spread))
        return logits
