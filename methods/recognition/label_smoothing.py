"""LS: binary cross-entropy with smoothed labels."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from methods.recognition.parts import losses
from methods.recognition.parts.base import COLE, IGNORED, LOG_OFFSET, SinglePositive
from suite.method import Presets, extended, hyper


class LabelSmoothing(SinglePositive):
    """AN with target 1 - ε + ε / C for the annotated class and ε / C for the others."""

    name = "label-smoothing"
    title = "LS"
    unknown_labels = IGNORED
    soft_labels = True
    aliases = ("ls",)
    paper = "Szegedy et al., CVPR 2016, as in An Action Is Worth Multiple Words, BMVC 2022"
    presets: ClassVar[Presets] = extended(
        SinglePositive.presets, cvpr2021={**COLE, "reduction": "paper", "shared": False, "batch": 8, "lr": 1e-4}
    )

    epsilon: float = hyper(0.1, low=0.0, high=1.0, symbol="ε", packed=True, source="released code")
    reduction: str = hyper("code", choices=("code", "paper"), source="the code sums over classes")

    shared: bool = hyper(True, source="BMVC 2022 code; not so in the CVPR 2021 code", help="negatives get ε / C, not ε")
    log_offset: float = LOG_OFFSET

    def objective(self, logits: Tensor, target: Tensor, known: Tensor | None = None) -> Tensor:
        if not self.shared:
            constants = (self.epsilon, self.reduction, self.log_offset)
            return losses.plain_label_smoothing(logits, target, *constants, known)
        return losses.label_smoothing(logits, target, self.epsilon, self.reduction, known)
