"""ActionFormer on the labelled videos alone: the baseline that every semi-supervised method must beat."""

from __future__ import annotations

from methods.semi_localization.parts.anchor_free import AnchorFree
from methods.semi_localization.parts.base import SemiLocalization


class LabelledActionFormer(SemiLocalization):
    """Supervised ActionFormer; with ``budget="matched"`` it takes as many steps as the two-phase methods together."""

    name = "actionformer"
    title = "ActionFormer (labelled only)"
    paper = "Zhang et al., ActionFormer: Localizing Moments of Actions with Transformers, ECCV 2022"
    aliases = ("actf",)
    presets = AnchorFree.presets
    detector = AnchorFree()
