"""Full-label BCE: training and validation use every true label, an upper bound for this network."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from methods.recognition.parts import losses
from methods.recognition.parts.base import IGNORED, SinglePositive, complete_truth, known_of
from suite.method import Run, hyper
from suite.tasks.recognition.samples import Clips


class FullLabel(SinglePositive):
    """Binary cross-entropy with complete label sets, in training and in the loss for early stopping."""

    name = "full-label"
    title = "Full-label BCE"
    unknown_labels = IGNORED
    paper = "Cole et al., Multi-Label Learning from Single Positive Labels, CVPR 2021 (upper bound)"
    oracle = True

    reduction: str = hyper("code", choices=("code", "paper"), source="the code sums over classes")

    def objective(self, logits: Tensor, target: Tensor, known: Tensor | None = None) -> Tensor:
        return losses.assume_negative(logits, target, self.reduction, known=known)

    def train_objective(
        self, logits: Tensor, target: Tensor, index: Tensor, run: Run, known: Tensor | None = None
    ) -> Tensor:
        truth = run.resident("truth", complete_truth(run.data, self.name))
        return self.known_objective(logits, truth[index].to(logits.dtype), known)

    def validation_loss(self, network: nn.Module, samples: Clips, run: Run) -> float:
        logits = torch.from_numpy(self.logits(network, samples, run))
        truth = samples.oracle.get("complete", samples.truth)
        target = torch.from_numpy(np.array(truth, dtype=np.float32))
        return float(self.known_objective(logits, target, known_of(samples)))
