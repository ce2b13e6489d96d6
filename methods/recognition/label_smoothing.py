"""LS: binary cross-entropy with smoothed labels."""

from __future__ import annotations

from torch import Tensor

from methods.recognition.parts import losses
from methods.recognition.parts.base import SinglePositive
from suite.method import hyper


class LabelSmoothing(SinglePositive):
    """AN with target 1 - ε + ε / C for the annotated class and ε / C for the others."""

    name = "label-smoothing"
    title = "LS"
    paper = "Szegedy et al., CVPR 2016, as in An Action Is Worth Multiple Words, BMVC 2022"

    epsilon: float = hyper(0.1, low=0.0, high=1.0, symbol="ε", packed=True, source="released code")
    reduction: str = hyper("code", choices=("code", "paper"), source="the code sums over classes")

    def objective(self, logits: Tensor, target: Tensor) -> Tensor:
        return losses.label_smoothing(logits, target, self.epsilon, self.reduction)
