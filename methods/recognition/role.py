"""ROLE: the classifier and an estimate of every clip's labels are learned together."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from methods.recognition.epr import ExpectedPositives
from methods.recognition.parts import losses
from suite.method import Batch, Losses, Run, hyper

CLIP = 1e-5  # probabilities stay this far from 0 and 1 on their way to logits (released code)


def inverse_sigmoid(probability: Tensor) -> Tensor:
    """Logits of probabilities, which are first cut to [1e-5, 1 - 1e-5]."""
    return torch.logit(probability.clamp(CLIP, 1 - CLIP))


class WithEstimates(nn.Module):
    """A classifier beside label estimates (N, C), logits that start near 0 but for the annotated class."""

    def __init__(self, classifier: nn.Module, annotated: np.ndarray, spread: float, certain: float) -> None:
        super().__init__()
        self.classifier = classifier
        bound, observed = inverse_sigmoid(torch.tensor([spread, certain], dtype=torch.float64)).tolist()
        start = torch.empty(annotated.shape).uniform_(-bound, bound)
        start[torch.from_numpy(annotated)] = observed
        self.estimates = nn.Parameter(start)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C) logits of the classifier."""
        logits: Tensor = self.classifier(features)
        return logits


class OnlineEstimation(ExpectedPositives):
    """Classifier and label estimates are trained toward each other, the annotation and the mean number of labels."""

    name = "role"
    title = "ROLE"
    unknown_labels = "estimated, like every class that is not annotated"

    estimate_rate: float = hyper(10.0, low=0.0, high=1000.0, source="CVPR 2021: 10 times the rate of the classifier")
    spread: float = hyper(0.6, low=0.5, high=0.999, source="CVPR 2021: unobserved labels start in [0.4, 0.6]")
    certain: float = hyper(0.995, low=0.5, high=0.99999, source="CVPR 2021: where observed labels start")

    def network(self, data: Any) -> nn.Module:
        return WithEstimates(super().network(data), data.train.annotated, self.spread, self.certain)

    def parameter_groups(self, network: nn.Module) -> list[dict[str, Any]]:
        weights = [p for name, p in network.named_parameters() if name != "estimates" and p.requires_grad]
        return [{"params": weights}, {"params": [network.estimates], "lr_scale": self.estimate_rate}]

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        logits, target = self.labelled(network, batch, run)
        estimates: Tensor = network.estimates[batch["index"]]  # type: ignore[index]
        return {"loss": losses.joint_estimation(logits, estimates, target, self.mean_labels, self.log_offset)}
