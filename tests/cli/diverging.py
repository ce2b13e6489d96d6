"""Methods with faults, to see that the suite tells of them."""

from __future__ import annotations

import torch

from suite.method import hyper
from tests.train.world import Tiny


class Diverging(Tiny):
    """Its loss is lost at the first step."""

    name = "diverging"
    title = "Diverging"

    def network(self, data):
        return torch.nn.Linear(data.train.features.shape[1], len(data.classes))

    def loss(self, network, batch, run):
        losses = super().loss(network, batch, run)
        return {"cross-entropy": losses["cross-entropy"] * float("nan")}


class Forgetful(Tiny):
    """Keeps what it prepares in an attribute, which a resume loses; its dropout has no source."""

    name = "forgetful"
    title = "Forgetful"
    strength: float = hyper(0.1, low=0.0, high=1.0)
    weight = 0.0

    def network(self, data):
        return torch.nn.Linear(data.train.features.shape[1], len(data.classes))

    def begin(self, run):
        super().begin(run)
        self.weight = self.strength

    def loss(self, network, batch, run):
        losses = super().loss(network, batch, run)
        return {"cross-entropy": losses["cross-entropy"] * self.weight}
