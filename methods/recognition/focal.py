"""Focal: binary cross-entropy that gives little weight to classes that are already right."""

from __future__ import annotations

from torch import Tensor

from methods.recognition.parts import losses
from methods.recognition.parts.base import IGNORED, SinglePositive
from suite.method import hyper


class Focal(SinglePositive):
    """Focal loss with assumed negatives, a mean over clips and classes."""

    name = "focal"
    title = "Focal"
    unknown_labels = IGNORED
    paper = "Lin et al., Focal Loss for Dense Object Detection, ICCV 2017"

    alpha: float = hyper(
        0.25, low=0.0, high=1.0, symbol="α", packed=True, source="released code; weight of the positive"
    )
    gamma: float = hyper(2.0, low=0.0, high=10.0, symbol="γ", packed=True, source="released code")

    def objective(self, logits: Tensor, target: Tensor, known: Tensor | None = None) -> Tensor:
        return losses.focal(logits, target, self.alpha, self.gamma, known)
