"""P+S BCE: classes that neighbours carry are positives, like the annotated one."""

from __future__ import annotations

from torch import Tensor

from methods.recognition.parts import losses
from methods.recognition.parts.neighbour_labelled import NeighbourLabelled


class PseudoSingleBCE(NeighbourLabelled):
    """Binary cross-entropy with the annotated class and the pseudo-labels as positives (eq. 3, from the code)."""

    name = "pseudo-single-bce"
    title = "P+S BCE"
    paper = "Kim et al., An Action Is Worth Multiple Words, BMVC 2022"

    def pseudo_objective(self, logits: Tensor, target: Tensor, pseudo: Tensor) -> Tensor:
        return losses.pseudo_single_bce(logits, target, pseudo, self.reduction)
