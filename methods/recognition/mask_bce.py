"""Mask BCE: classes that neighbours carry are neither positive nor negative."""

from __future__ import annotations

from torch import Tensor

from methods.recognition.parts import losses
from methods.recognition.parts.base import IGNORED
from methods.recognition.parts.neighbour_labelled import NeighbourLabelled


class MaskBCE(NeighbourLabelled):
    """Binary cross-entropy that leaves out a clip's pseudo-labels (eq. 2)."""

    name = "mask-bce"
    title = "Mask BCE"
    unknown_labels = IGNORED
    soft_labels = True
    aliases = ("mask",)
    paper = "Kim et al., An Action Is Worth Multiple Words, BMVC 2022"

    def pseudo_objective(self, logits: Tensor, target: Tensor, pseudo: Tensor, known: Tensor | None = None) -> Tensor:
        return losses.mask_bce(logits, target, pseudo, self.reduction, known)
