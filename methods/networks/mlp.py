"""The network of the feature experiments: hidden layers over one feature vector per clip, and a linear classifier."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from methods.networks.products import Linear


class FeatureMLP(nn.Module):
    """``layers`` times Linear, ReLU, BatchNorm (in this order, as in the released code), then Linear to the classes.

    Input (B, channels), output logits (B, classes). No dropout; torch's default initialization.
    """

    def __init__(self, channels: int, classes: int, hidden: int = 1024, layers: int = 2) -> None:
        super().__init__()
        widths = [channels] + [hidden] * layers
        blocks = [
            nn.Sequential(Linear(below, above), nn.ReLU(), nn.BatchNorm1d(above)) for below, above in pairwise(widths)
        ]
        self.trunk = nn.Sequential(*blocks)
        self.classifier = Linear(widths[-1], classes)

    def embed(self, features: Tensor) -> Tensor:
        """(B, hidden) the input of the classifier."""
        embedding: Tensor = self.trunk(features)
        return embedding

    def forward(self, features: Tensor) -> Tensor:
        """(B, classes) logits."""
        logits: Tensor = self.classifier(self.embed(features))
        return logits
