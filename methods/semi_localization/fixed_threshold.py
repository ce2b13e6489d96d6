"""Noisy Pseudo-Label learning with one score threshold in place of adaptive filtering (Table 4, "θ_s = 0.3")."""

from __future__ import annotations

from methods.semi_localization.npl import NoisyPseudoLabels
from suite.method import hyper


class FixedThreshold(NoisyPseudoLabels):
    """Every prediction above the threshold is a pseudo-label, whatever its rank; consistency learning as in NPL."""

    name = "fixed-threshold"
    title = "Fixed threshold + NL (ActionFormer)"

    filtering: str = hyper("threshold", choices=("threshold",), source="NPL Table 4")
