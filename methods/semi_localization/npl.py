"""Noisy Pseudo-Label learning on ActionFormer: ranking, filtering and learning, each a switch of its own."""

from __future__ import annotations

import numpy as np

from methods.semi_localization.parts.ranking import adaptive_filter, reliability, threshold_filter, top_filter
from methods.semi_localization.parts.two_phase import TwoPhase
from suite.method import hyper


class NoisyPseudoLabels(TwoPhase):
    """NPL. The ladder of Table 2 is ``ranking=false filtering=top learning=false``, then one switch after the other.

    No code was ever released: every reading of the paper is a parameter whose default is the recommended one.
    """

    name = "npl"
    title = "NPL (ActionFormer)"
    paper = "Xia et al., Learning from Noisy Pseudo Labels for Semi-Supervised Temporal Action Localization, ICCV 2023"

    ranking: bool = hyper(True, symbol="NR", source="§3.2, eq. 5", help="rank by score over boundary ambiguity")
    filtering: str = hyper(
        "adaptive",
        choices=("adaptive", "threshold", "top", "none"),
        symbol="NF",
        source="§3.3, eq. 6; Table 4",
        help="adaptive: K_adp a class; threshold: score above theta; top: the best N_pos; none: all that are ranked",
    )
    learning: bool = hyper(True, symbol="NL", source="§3.4, eqs. 7-8", help="consistency instead of regression")
    theta: float = hyper(0.3, low=0.0, high=1.0, symbol="θ_s", source="Table 4", help="for filtering=threshold")

    @property
    def consistent(self) -> bool:
        return self.learning

    def rank(self, score: np.ndarray, ambiguity: np.ndarray) -> np.ndarray:
        return reliability(score, ambiguity) if self.ranking else score

    def choose(self, labels: np.ndarray, rank: np.ndarray, score: np.ndarray, classes: int) -> np.ndarray:
        if self.filtering == "adaptive":
            return adaptive_filter(labels, rank, classes, self.positives)
        if self.filtering == "threshold":
            return threshold_filter(score, self.theta)
        if self.filtering == "top":
            return top_filter(rank, self.positives)
        return np.arange(len(labels))
