"""Noisy Pseudo-Label learning on BMN: our construction.

The paper reports NPL on BMN and does not say how. BMN has no boundary prediction per snippet, so the neighbours of a
proposal are the proposals that overlap it by half, weighted by their scores; without predictions to keep consistent,
Noisy Label Learning has no counterpart and all losses stay. Ranking and filtering act on the proposals of a video.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
from torch import nn

from methods.semi_localization.parts.base import labelled_rows
from methods.semi_localization.parts.batches import endless
from methods.semi_localization.parts.proposal_network import ProposalNetwork
from methods.semi_localization.parts.pseudo_labelling import Predicted, PseudoLabelling
from methods.semi_localization.parts.ranking import (
    SPREADS,
    Spread,
    adaptive_filter,
    proposal_ambiguity,
    reliability,
    top_filter,
)
from suite.method import Batch, Losses, Run, hyper


class NoisyPseudoLabelsBMN(PseudoLabelling, ProposalNetwork):
    """NPL's ranking and filtering of BMN's named proposals."""

    name = "npl-bmn"
    title = "NPL-BMN (our construction)"
    paper = "Xia et al., Learning from Noisy Pseudo Labels for Semi-Supervised Temporal Action Localization, ICCV 2023"

    floor: float = hyper(0.02, low=0.0, high=1.0, help="lowest score of a proposal that enters the ranking")
    ranking: bool = hyper(True, symbol="NR", source="§3.2, eq. 5", help="rank by score over boundary ambiguity")
    filtering: str = hyper("adaptive", choices=("adaptive", "top"), symbol="NF", source="§3.3, eq. 6")
    spread: Spread = hyper("variance", choices=SPREADS, source="NPL eq. 4", help="std makes eq. 4 free of units")
    least_overlap: float = hyper(0.5, low=0.05, high=1.0, help="tIoU of proposals that count as neighbours")

    def rank(self, score: np.ndarray, ambiguity: np.ndarray) -> np.ndarray:
        return reliability(score, ambiguity) if self.ranking else score

    def choose(self, labels: np.ndarray, rank: np.ndarray, score: np.ndarray, classes: int) -> np.ndarray:
        if self.filtering == "adaptive":
            return adaptive_filter(labels, rank, classes, self.positives)
        return top_filter(rank, self.positives)

    def predictions(self, network: nn.Module, row: int, run: Run) -> Predicted:
        train = run.data.train
        found = self.propose(network, train, row, run)
        kept = self.suppressed(found, np.asarray(train.duration))
        assert found.score is not None
        assert kept.score is not None
        kept = kept.take(kept.score > self.floor)
        assert kept.score is not None
        other = np.stack([found.start, found.end], axis=1)
        ambiguity = proposal_ambiguity(kept.start, kept.end, other, found.score, self.spread, self.least_overlap)
        return Predicted(kept.label, kept.start, kept.end, kept.score, ambiguity)

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        if run.phase_index == 0:
            yield from super().batches(run, generator)
            return
        train = run.data.train
        known, pseudo = train.known_segments(), self.pseudo_segments(run)
        sure = self.windows(train, labelled_rows(run.data))
        guessed = self.windows(train, np.unique(pseudo.video))
        first = endless(self.with_segments(sure, known), self.batch, generator)
        second = endless(self.with_segments(guessed, pseudo), self.batch, generator) if len(guessed) else None
        for rows in islice(first, self.evaluate_steps):
            batch: Batch = {"labelled": self.window_batch(sure, rows, known, run)}
            if second is not None:
                batch["unlabelled"] = self.window_batch(guessed, next(second), pseudo, run)
            yield batch

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        parts = super().loss(network, batch, run)
        if "unlabelled" in batch:
            found, logits = network(batch["unlabelled"]["features"])
            guessed = self.supervised(network, found, logits, batch["unlabelled"])
            parts |= {f"pseudo_{name}": self.alpha * part for name, part in guessed.items()}
        return parts
