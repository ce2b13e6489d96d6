"""AN: every class that is not annotated is assumed to be negative."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from methods.recognition.parts import losses
from methods.recognition.parts.base import COLE, IGNORED, LOG_OFFSET, SinglePositive
from suite.method import Presets, extended, hyper


class AssumeNegative(SinglePositive):
    """Binary cross-entropy with the single label as the only positive (eq. 1)."""

    name = "assume-negative"
    title = "AN"
    unknown_labels = IGNORED
    soft_labels = True
    aliases = ("an",)
    paper = "Cole et al., Multi-Label Learning from Single Positive Labels, CVPR 2021"
    presets: ClassVar[Presets] = extended(SinglePositive.presets, cvpr2021={**COLE, "reduction": "paper"})

    reduction: str = hyper("code", choices=("code", "paper"), source="eq. 1 averages over classes; the code sums")

    log_offset: float = LOG_OFFSET

    def objective(self, logits: Tensor, target: Tensor, known: Tensor | None = None) -> Tensor:
        return losses.assume_negative(logits, target, self.reduction, self.log_offset, known)
