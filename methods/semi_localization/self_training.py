"""Plain self-training: the system that Table 2 of the NPL paper calls its baseline."""

from __future__ import annotations

from methods.semi_localization.parts.two_phase import TwoPhase


class SelfTraining(TwoPhase):
    """The best ``positives`` predictions of a video by foreground score, both losses; nothing guards against noise."""

    name = "self-training"
    title = "Self-training (ActionFormer)"
    paper = "Xia et al., Learning from Noisy Pseudo Labels for Semi-Supervised Temporal Action Localization, ICCV 2023"
