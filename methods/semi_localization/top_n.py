"""Noisy Pseudo-Label learning with a fixed number of pseudo-labels per video (Table 4, "top-10")."""

from __future__ import annotations

from methods.semi_localization.npl import NoisyPseudoLabels
from suite.method import hyper


class TopN(NoisyPseudoLabels):
    """The ``n_pos`` predictions of each video that NPL's ranking puts first; consistency learning as in NPL."""

    name = "top-n"
    title = "Top-10 + NR + NL (ActionFormer)"

    filtering: str = hyper("top", choices=("top",), source="NPL Table 4")
    n_pos: int = hyper(10, low=1, high=10_000, symbol="N_pos", source="NPL Table 4", help="pseudo-labels per video")
