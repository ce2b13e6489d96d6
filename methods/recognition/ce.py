"""CE: softmax cross-entropy, one class per clip. The loss that features and backbones are trained with."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.recognition.parts.base import IGNORED, SETTLED, SinglePositive
from suite.method import Run, Scores
from suite.tasks.recognition.samples import Clips


class CrossEntropy(SinglePositive):
    """Softmax cross-entropy; a class is predicted where its softmax probability reaches the threshold."""

    name = "ce"
    title = "CE"
    unknown_labels = IGNORED
    soft_labels = True
    paper = "Kim et al., An Action Is Worth Multiple Words, BMVC 2022 (trains the backbones)"

    def objective(self, logits: Tensor, target: Tensor, known: Tensor | None = None) -> Tensor:
        if known is not None:
            logits = torch.where(known, logits, -SETTLED)  # unknown classes have no share in the softmax
        return F.cross_entropy(logits, target / target.sum(dim=1, keepdim=True).clamp(min=1))

    def score(self, network: nn.Module, samples: Clips, run: Run) -> Scores:
        """Logits of the softmax probabilities, so that their sigmoid is the probability."""
        logits = super().score(network, samples, run)["logits"].astype(np.float64)
        shifted = logits - logits.max(axis=1, keepdims=True)
        weight = np.exp(shifted)
        rest = np.maximum(weight.sum(axis=1, keepdims=True) - weight, np.finfo(np.float64).tiny)
        return {"logits": (shifted - np.log(rest)).astype(np.float32)}
