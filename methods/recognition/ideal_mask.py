"""Ideal mask: Mask BCE with the truth in place of neighbours, an upper bound."""

from __future__ import annotations

from torch import Tensor

from methods.recognition.parts import losses
from methods.recognition.parts.base import IGNORED
from methods.recognition.parts.neighbour_labelled import Ideal


class IdealMask(Ideal):
    """Binary cross-entropy that leaves out exactly the other true labels of a clip."""

    name = "ideal-mask"
    title = "Ideal mask"
    unknown_labels = IGNORED
    paper = "Kim et al., An Action Is Worth Multiple Words, BMVC 2022"

    def pseudo_objective(self, logits: Tensor, target: Tensor, pseudo: Tensor, known: Tensor | None = None) -> Tensor:
        return losses.mask_bce(logits, target, pseudo, self.reduction, known)
