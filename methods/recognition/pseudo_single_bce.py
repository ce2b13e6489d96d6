"""P+S BCE: classes that neighbours carry are positives, like the annotated one."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from methods.recognition.parts import losses
from methods.recognition.parts.neighbour_labelled import NeighbourLabelled
from suite.method import Presets, extended


class PseudoSingleBCE(NeighbourLabelled):
    """Binary cross-entropy with the annotated class and the pseudo-labels as positives (eq. 3, from the code)."""

    name = "pseudo-single-bce"
    title = "P+S BCE"
    unknown_labels = "positive where neighbours carry the class, otherwise ignored"
    soft_labels = True
    aliases = ("psbce", "p+s")
    # on planted worlds few of the labels at (15, 0.1) are right, and P+S takes them for certain: better at (10, 0.2)
    presets: ClassVar[Presets] = extended(NeighbourLabelled.presets, recommended={"neighbours": 10, "tau": 0.2})
    paper = "Kim et al., An Action Is Worth Multiple Words, BMVC 2022"

    def pseudo_objective(self, logits: Tensor, target: Tensor, pseudo: Tensor, known: Tensor | None = None) -> Tensor:
        return losses.pseudo_single_bce(logits, target, pseudo, self.reduction, known)
