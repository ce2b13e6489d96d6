"""EM: classes that are not annotated are unknown, and their predictions are kept near one half."""

from __future__ import annotations

from torch import Tensor

from methods.recognition.parts import losses
from methods.recognition.parts.base import LOG_OFFSET, SinglePositive
from suite.method import hyper


class EntropyMaximization(SinglePositive):
    """Log-likelihood of the annotated class plus α times the entropy of every other class."""

    name = "entropy-maximization"
    title = "EM"
    aliases = ("em",)
    unknown_labels = "kept near one half, like every class that is not annotated"
    soft_labels = True
    paper = "Zhou et al., Acknowledging the Unknown, ECCV 2022"

    alpha: float = hyper(
        0.2, low=0.0, high=1.0, symbol="α", packed=True, source="0.2 for VOC and in the BMVC 2022 code"
    )
    reduction: str = hyper("code", choices=("code", "paper"), source="the code sums over classes")

    log_offset: float = LOG_OFFSET

    def objective(self, logits: Tensor, target: Tensor, known: Tensor | None = None) -> Tensor:
        return losses.entropy_maximization(logits, target, self.alpha, self.reduction, self.log_offset)

    def own_threshold(self, classes: int) -> float:
        """0.75, as the authors' README states: unknown classes are near 0.5."""
        return 0.75
