"""WAN: assumed negatives weigh little, so that together they weigh as much as the positive."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from methods.recognition.parts import losses
from methods.recognition.parts.base import COLE, IGNORED, LOG_OFFSET, SinglePositive
from suite.method import Presets, extended, hyper


class WeakAssumeNegative(SinglePositive):
    """AN with negatives weighted by γ = ``negatives`` / (C - 1)."""

    name = "weak-assume-negative"
    title = "WAN"
    unknown_labels = IGNORED
    soft_labels = True
    aliases = ("wan",)
    paper = "Cole et al., Multi-Label Learning from Single Positive Labels, CVPR 2021"
    presets: ClassVar[Presets] = extended(SinglePositive.presets, cvpr2021={**COLE, "reduction": "paper"})

    negatives: float = hyper(
        1.0,
        low=0.0,
        high=1000.0,
        symbol="γ (C - 1)",
        packed=True,
        source="γ = 1 / (C - 1) in CVPR 2021 and in the released code",
        help="weight of all assumed negatives together, the positive weighing 1",
    )
    reduction: str = hyper("code", choices=("code", "paper"), source="the code sums over classes")

    log_offset: float = LOG_OFFSET

    def objective(self, logits: Tensor, target: Tensor, known: Tensor | None = None) -> Tensor:
        gamma = self.negatives / max(logits.shape[1] - 1, 1)
        return losses.weak_assume_negative(logits, target, gamma, self.reduction, self.log_offset, known)

    def own_threshold(self, classes: int) -> float:
        """1 / (1 + γ): the optimum of a class that is annotated in half of its clips."""
        return 1 / (1 + self.negatives / (classes - 1))
