"""Ideal self-training: the withheld segments in place of pseudo-labels, an upper bound on what labelling can bring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
from torch import nn

from methods.semi_localization.parts.anchor_free import AnchorFree
from methods.semi_localization.parts.pseudo_labels import Predicted
from methods.semi_localization.parts.two_phase import TwoPhase
from methods.semi_localization.self_training import SelfTraining
from suite.method import Run, Value


class IdealSelfTraining(TwoPhase):
    """Self-training whose teacher knows the truth; ``boundary_noise`` says how much worse boundaries cost."""

    name = "ideal-self-training"
    title = "Ideal self-training (ActionFormer)"
    paper = "Xia et al., Learning from Noisy Pseudo Labels for Semi-Supervised Temporal Action Localization, ICCV 2023"
    oracle = True
    presets: ClassVar[Mapping[str, Mapping[str, Value]]] = SelfTraining.presets
    detector = AnchorFree()

    def predictions(self, network: nn.Module, rows: Sequence[int], run: Run) -> Iterator[tuple[int, Predicted]]:
        segments = run.data.train.segments
        for row in rows:
            truth = segments.take(np.flatnonzero(segments.video == row))
            sure, unknown = np.ones(len(truth)), np.full(len(truth), np.nan)
            yield row, Predicted(truth.label, truth.start, truth.end, sure, unknown)

    def keep(self, found: Predicted, classes: int) -> np.ndarray:
        return np.arange(len(found.labels))
