"""N-LS: only the assumed negatives are smoothed."""

from __future__ import annotations

from torch import Tensor

from methods.recognition.parts import losses
from methods.recognition.parts.base import IGNORED, SinglePositive
from suite.method import hyper


class NegativeLabelSmoothing(SinglePositive):
    """AN with target 1 for the annotated class and ε / C for the others."""

    name = "negative-label-smoothing"
    title = "N-LS"
    unknown_labels = IGNORED
    soft_labels = True
    aliases = ("n-ls", "nls")
    paper = "Zhou et al., ECCV 2022, as in An Action Is Worth Multiple Words, BMVC 2022"

    epsilon: float = hyper(0.1, low=0.0, high=1.0, symbol="ε", packed=True, source="released code")
    reduction: str = hyper("code", choices=("code", "paper"), source="the code sums over classes")

    def objective(self, logits: Tensor, target: Tensor, known: Tensor | None = None) -> Tensor:
        return losses.negative_label_smoothing(logits, target, self.epsilon, self.reduction, known)
