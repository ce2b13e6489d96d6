"""Noisy Pseudo-Label learning with a fixed number of pseudo-labels a video (Table 4, "top-10")."""

from __future__ import annotations

import numpy as np

from methods.semi_localization.parts.ranking import reliability, top_filter
from methods.semi_localization.parts.two_phase import TwoPhase
from suite.method import hyper


class TopN(TwoPhase):
    """The ``number`` predictions of each video that NPL's ranking puts first; consistency learning as in NPL."""

    name = "top-n"
    title = "Top-10 + NR + NL (ActionFormer)"
    paper = "Xia et al., Learning from Noisy Pseudo Labels for Semi-Supervised Temporal Action Localization, ICCV 2023"

    number: int = hyper(10, low=1, high=10_000, source="NPL Table 4", help="pseudo-labels a video")

    @property
    def consistent(self) -> bool:
        return True

    def rank(self, score: np.ndarray, ambiguity: np.ndarray) -> np.ndarray:
        return reliability(score, ambiguity)

    def choose(self, labels: np.ndarray, rank: np.ndarray, score: np.ndarray, classes: int) -> np.ndarray:
        return top_filter(rank, self.number)
