"""Noisy Pseudo-Label learning with one score threshold in place of adaptive filtering (Table 4, "θ_s = 0.3")."""

from __future__ import annotations

import numpy as np

from methods.semi_localization.parts.ranking import threshold_filter
from methods.semi_localization.parts.two_phase import TwoPhase
from suite.method import hyper


class FixedThreshold(TwoPhase):
    """Every prediction above the threshold is a pseudo-label; consistency learning as in NPL.

    The choice does not depend on a ranking, so there is none.
    """

    name = "fixed-threshold"
    title = "Fixed threshold + NL (ActionFormer)"
    paper = "Xia et al., Learning from Noisy Pseudo Labels for Semi-Supervised Temporal Action Localization, ICCV 2023"

    theta: float = hyper(0.3, low=0.0, high=1.0, symbol="θ_s", source="NPL Table 4")

    @property
    def consistent(self) -> bool:
        return True

    def choose(self, labels: np.ndarray, rank: np.ndarray, score: np.ndarray, classes: int) -> np.ndarray:
        return threshold_filter(score, self.theta)
