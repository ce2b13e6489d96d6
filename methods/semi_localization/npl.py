"""Noisy Pseudo-Label learning on ActionFormer.

Source: Xia et al., "Learning from Noisy Pseudo Labels for Semi-Supervised Temporal Action Localization", ICCV 2023. A
model of the labelled videos labels the others (§3.1, ``parts.two_phase``). Its labels err in place and in class, and
three things are done about it: they are *ranked* by score and by how well neighbouring snippets agree on the boundaries
(§3.2), *filtered* so that no class dominates (§3.3), and *learned* without regressing to their boundaries
(§3.4). No code was ever released: where the paper is silent, a hyper-parameter names the readings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
from torch import nn

from methods.networks.actionformer.decoding import boundaries
from methods.networks.actionformer.preparation import Sample
from methods.semi_localization.parts.anchor_free import AnchorFree
from methods.semi_localization.parts.background_swap import swap_background
from methods.semi_localization.parts.batches import GridVideos
from methods.semi_localization.parts.candidates import Candidates, Instances
from methods.semi_localization.parts.consistency import temporal_consistency
from methods.semi_localization.parts.detector import Labels
from methods.semi_localization.parts.pseudo_labels import Predicted
from methods.semi_localization.parts.ranking import (
    NEIGHBOURS,
    SPREADS,
    Neighbours,
    Spread,
    adaptive_filter,
    boundary_ambiguity,
    neighbour_points,
    reliability,
    threshold_filter,
    top_filter,
)
from methods.semi_localization.parts.two_phase import TwoPhase
from methods.semi_localization.self_training import SelfTraining
from suite.evaluate.segments import Segments
from suite.method import Batch, Losses, Run, Value, hyper


class NoisyPseudoLabels(TwoPhase):
    """NPL: label, rank, filter, learn.

    The ladder of Table 2 is ``ranking=false filtering=top learning=false``, then one switch after the other. The preset
    ``published`` has the recipe of §4.2 on ActionFormer's, ``literal`` the reading of §3 to the letter.
    """

    name = "npl"
    title = "NPL (ActionFormer)"
    paper = "Xia et al., Learning from Noisy Pseudo Labels for Semi-Supervised Temporal Action Localization, ICCV 2023"
    presets: ClassVar[Mapping[str, Mapping[str, Value]]] = {
        **SelfTraining.presets,
        "published": {**SelfTraining.presets["published"], "background": 0.1},
        "published-activitynet": {**SelfTraining.presets["published-activitynet"], "background": 0.1},
        # the text to the letter: dense labels, the variance of eq. 4 over the snippets within the action
        "literal": {"suppression": "none", "rejected": "background", "neighbours": "inside", "spread": "variance"},
    }
    detector = AnchorFree()
    candidates = Candidates()

    ranking: bool = hyper(True, symbol="NR", source="§3.2, eq. 5", help="rank by score over boundary ambiguity")
    filtering: str = hyper(
        "adaptive",
        choices=("adaptive", "threshold", "top", "none"),
        symbol="NF",
        source="§3.3, eq. 6; Table 4",
        help="adaptive: K_adp of each class; threshold: score above theta; top: the best N_pos; none: all",
    )
    learning: bool = hyper(True, symbol="NL", source="§3.4, eqs. 7-8", help="consistency instead of regression")
    theta: float = hyper(0.3, low=0.0, high=1.0, symbol="θ_s", source="Table 4", help="for filtering=threshold")
    neighbours: Neighbours = hyper(
        "centre", choices=NEIGHBOURS, source="§3.2", help="points whose agreement measures a boundary"
    )
    neighbour_window: int = hyper(2, low=1, high=100, help="points on each side, for neighbours=window")
    spread: Spread = hyper("std", choices=SPREADS, source="eq. 4", help="std makes eq. 4 free of units")
    spread_floor: float = hyper(1e-3, low=0.0, high=1.0, help="lowest ambiguity, relative to the duration")
    background: float = hyper(
        0.0, low=0.0, high=1.0, source="§4.2: 10 %", help="share of pseudo-labelled samples with foreign background"
    )

    # Label (§3.1) and rank (§3.2) -----------------------------------------------------------------------------------

    def predictions(self, network: nn.Module, rows: Sequence[int], run: Run) -> Iterator[tuple[int, Predicted]]:
        for row, found in self.candidates.instances(self.detector, network, rows, run):
            yield row, found.ranked_by(self.ambiguity(found))

    def ambiguity(self, found: Instances) -> np.ndarray:
        """(N,) how much the neighbours of each prediction disagree about its boundaries (eq. 4)."""
        dense = found.dense
        near = neighbour_points(
            dense.points, dense.valid[0], found.segments, found.points, self.neighbours, self.neighbour_window
        )
        everywhere = boundaries(dense.points, dense.offsets[0].float())
        duration = found.segments[:, 1] - found.segments[:, 0]
        ambiguity = boundary_ambiguity(everywhere, near, duration, self.spread, self.spread_floor)
        return ambiguity.double().cpu().numpy()

    def rank(self, found: Predicted) -> np.ndarray:
        """(N,) confidence: the foreground score over the boundary ambiguity (eq. 5)."""
        return reliability(found.score, found.ambiguity) if self.ranking else found.score

    # Filter (§3.3) --------------------------------------------------------------------------------------------------

    def keep(self, found: Predicted, classes: int) -> np.ndarray:
        if self.filtering == "adaptive":
            return adaptive_filter(found.labels, self.rank(found), classes, self.n_pos)
        if self.filtering == "threshold":
            return threshold_filter(found.score, self.theta)
        if self.filtering == "top":
            return top_filter(self.rank(found), self.n_pos)
        return np.arange(len(found.labels))

    def uncertain(self, run: Run) -> Segments:
        return self.candidates.uncertain(run)

    # Learn (§3.4) ---------------------------------------------------------------------------------------------------

    def learn(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        """The unsupervised loss of eq. 8: consistency of neighbours in place of regression (eq. 3)."""
        if not self.learning:
            return super().learn(network, batch, run)
        found, losses = self.detector.detect(network, batch, run, "unlabelled")
        located = boundaries(found.points, found.offsets.float())
        steps = temporal_consistency(located, found.points[:, 3], batch["instance"], batch["instances"])
        return {"pseudo_classification": losses["classification"], "consistency": steps}

    def unlabelled_batches(self, run: Run, labels: Labels, generator: np.random.Generator) -> Iterator[Batch]:
        """Pseudo-labelled videos, a share of them in front of another one's background (§4.2)."""

        def swapped(sample: Sample, videos: GridVideos, row: int) -> Sample:
            if not self.background or generator.random() >= self.background:
                return sample
            donor = videos.sample(int(generator.choice(labels.rows)))
            grid = videos.grid(row)
            return swap_background(sample, donor, grid.window / grid.stride, generator)

        for samples in self.detector.samples(run, labels, self.batch, generator, swapped):
            yield self.detector.collate(samples, run)
