"""Plain self-training of ActionFormer: the system that Table 2 of the NPL paper calls its baseline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
from torch import nn

from methods.semi_localization.parts.anchor_free import AnchorFree
from methods.semi_localization.parts.candidates import Candidates
from methods.semi_localization.parts.pseudo_labels import Predicted
from methods.semi_localization.parts.two_phase import TwoPhase
from suite.evaluate.segments import Segments
from suite.method import Run, Value


class SelfTraining(TwoPhase):
    """The best ``n_pos`` predictions of a video by foreground score, both losses; nothing guards against noise.

    To choose other pseudo-labels, override ``keep``; to learn from them in another way, ``learn``.
    """

    name = "self-training"
    title = "Self-training (ActionFormer)"
    paper = "Xia et al., Learning from Noisy Pseudo Labels for Semi-Supervised Temporal Action Localization, ICCV 2023"
    presets: ClassVar[Mapping[str, Mapping[str, Value]]] = {
        **AnchorFree.presets,
        "published": {**AnchorFree.presets["published"], "weight_decay": 1e-4},
        "published-activitynet": {**AnchorFree.presets["published-activitynet"], "weight_decay": 1e-4, "batch": 32},
    }
    detector = AnchorFree()
    candidates = Candidates()

    def predictions(self, network: nn.Module, rows: Sequence[int], run: Run) -> Iterator[tuple[int, Predicted]]:
        for row, found in self.candidates.instances(self.detector, network, rows, run):
            yield row, found.ranked_by(np.full(len(found.labels), np.nan))

    def uncertain(self, run: Run) -> Segments:
        return self.candidates.uncertain(run)
