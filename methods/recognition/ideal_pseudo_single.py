"""Ideal P+S: P+S BCE with the truth in place of neighbours, which is supervised training."""

from __future__ import annotations

from torch import Tensor

from methods.recognition.parts import losses
from methods.recognition.parts.base import IGNORED
from methods.recognition.parts.neighbour_labelled import Ideal


class IdealPseudoSingle(Ideal):
    """Binary cross-entropy with all true labels of a clip; it stops by single-label validation, as all methods do."""

    name = "ideal-pseudo-single"
    title = "Ideal P+S"
    unknown_labels = IGNORED
    paper = "Kim et al., An Action Is Worth Multiple Words, BMVC 2022"

    def pseudo_objective(self, logits: Tensor, target: Tensor, pseudo: Tensor, known: Tensor | None = None) -> Tensor:
        return losses.pseudo_single_bce(logits, target, pseudo, self.reduction, known)
