"""Noisy Pseudo-Label learning on BMN: our construction.

The paper reports NPL on BMN and does not say how. BMN has no boundary prediction per snippet, so the neighbours of a
proposal are the proposals that overlap it by half, weighted by their scores; without predictions to keep consistent,
Noisy Label Learning has no counterpart and all losses stay. Ranking and filtering act on the proposals of a video.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch import nn

from methods.semi_localization.parts.proposal_network import ProposalNetwork
from methods.semi_localization.parts.pseudo_labels import Predicted
from methods.semi_localization.parts.ranking import (
    SPREADS,
    Spread,
    adaptive_filter,
    proposal_ambiguity,
    reliability,
    top_filter,
)
from methods.semi_localization.parts.two_phase import TwoPhase
from suite.method import Run, hyper


class NoisyPseudoLabelsBMN(TwoPhase):
    """NPL's ranking and filtering of BMN's named proposals."""

    name = "npl-bmn"
    title = "NPL-BMN (our construction)"
    paper = "Xia et al., Learning from Noisy Pseudo Labels for Semi-Supervised Temporal Action Localization, ICCV 2023"
    presets = ProposalNetwork.presets
    detector = ProposalNetwork()

    floor: float = hyper(0.02, low=0.0, high=1.0, help="lowest score of a proposal that enters the ranking")
    ranking: bool = hyper(True, symbol="NR", source="§3.2, eq. 5", help="rank by score over boundary ambiguity")
    filtering: str = hyper("adaptive", choices=("adaptive", "top"), symbol="NF", source="§3.3, eq. 6")
    spread: Spread = hyper("variance", choices=SPREADS, source="NPL eq. 4", help="std makes eq. 4 free of units")
    least_overlap: float = hyper(0.5, low=0.05, high=1.0, help="tIoU of proposals that count as neighbours")

    def predictions(self, network: nn.Module, rows: Sequence[int], run: Run) -> Iterator[tuple[int, Predicted]]:
        for row in run.each("pseudo-labels: video", rows):
            yield row, self._proposed(network, row, run)

    def _proposed(self, network: nn.Module, row: int, run: Run) -> Predicted:
        train = run.data.train
        found = self.detector.propose(network, train, row, run)
        kept = self.detector.suppressed(found, train.duration)
        assert found.score is not None
        assert kept.score is not None
        kept = kept.take(kept.score > self.floor)
        assert kept.score is not None
        other = np.stack([found.start, found.end], axis=1)
        ambiguity = proposal_ambiguity(kept.start, kept.end, other, found.score, self.spread, self.least_overlap)
        return Predicted(kept.label, kept.start, kept.end, kept.score, ambiguity)

    def rank(self, found: Predicted) -> np.ndarray:
        """(N,) confidence: the score over the boundary ambiguity (eq. 5)."""
        return reliability(found.score, found.ambiguity) if self.ranking else found.score

    def keep(self, found: Predicted, classes: int) -> np.ndarray:
        if self.filtering == "adaptive":
            return adaptive_filter(found.labels, self.rank(found), classes, self.n_pos)
        return top_filter(self.rank(found), self.n_pos)
