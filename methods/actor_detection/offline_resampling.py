"""Pseudo-label based class balancing: labels for all unlabelled clips before training, then re-sampling (Table 9)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from methods.actor_detection.parts.base import rows_of
from methods.actor_detection.parts.class_balancing import class_counts
from methods.actor_detection.parts.teacher_student import Inferring
from methods.actor_detection.parts.thresholds import (
    PseudoTargets,
    Stretch,
    class_related_thresholds,
    imbalance_ratio,
    thresholded_targets,
)
from suite.method import Batch, Run, hyper


class OfflineResampling(Inferring):
    """The usual re-sampling, which the paper compares with: infer labels, then draw rare clips more often.

    The supervised network scores every unlabelled clip once. A clip is drawn in proportion to the largest weight of
    its people: (mean count / count)^beta of a person's rarest pseudo-label, 1 for people without any. With
    ``inferred`` below 1 that is true of some clips, and the others are not drawn.
    """

    name = "offline-resampling-actors"
    title = "Offline pseudo-label re-sampling"
    paper = "Zhang et al., MM 2022, supplement B.2, Table 9"

    tau_positive: float = hyper(0.9, low=0.0, high=1.0, symbol="τ_pos", source="MM 2022 §4.2.3")
    mapping: Stretch = hyper("concave", choices=("concave", "linear", "convex"), symbol="M", source="MM 2022 Table 7")
    beta: float = hyper(0.9, low=0.0, high=10.0, symbol="β", source="MM 2022 eq. 9")
    labels_from: str = hyper("offline", choices=("offline", "online"), help="training targets: the inferred, or fresh")

    def begin(self, run: Run) -> None:
        super().begin(run)
        if run.teacher is None:
            return
        known = torch.from_numpy(run.data.train.labels[run.data.train.labelled])
        ratio = imbalance_ratio(class_counts(known))
        thresholds = class_related_thresholds(ratio, self.tau_positive, self.mapping, self.tau_negative).float()
        rows, scores = self.infer(run)
        everyone = torch.full((len(run.data.train), len(thresholds)), 0.5)
        everyone[torch.from_numpy(rows)] = torch.from_numpy(scores).float()
        run.memory["thresholds"] = thresholds.to(run.device)
        run.memory["offline rows"] = torch.from_numpy(rows)
        run.memory["offline scores"] = everyone.to(run.device)

    def unlabelled_stream(self, run: Run, generator: np.random.Generator) -> Iterator[np.ndarray]:
        clips, chances = self.clip_chances(run)
        while True:
            yield generator.choice(clips, size=self.batch, p=chances)

    def clip_chances(self, run: Run) -> tuple[np.ndarray, np.ndarray]:
        """The clips scored and the probability with which each is drawn."""
        scores, thresholds = run.memory["offline scores"].cpu(), run.memory["thresholds"].cpu()
        rows = run.memory["offline rows"].cpu().numpy()
        given = thresholded_targets(scores[rows], thresholds, self.tau_negative).labels.numpy()
        counts = np.maximum(given.sum(axis=0), 1)
        need = np.where(given.any(axis=1), (given * (counts.mean() / counts) ** self.beta).max(axis=1), 1.0)
        clips, owner = np.unique(run.data.train.clip[rows], return_inverse=True)
        chances = np.zeros(len(clips))
        np.maximum.at(chances, owner, need)
        return clips, chances / chances.sum()

    def pseudo_labels(self, teacher: Tensor, network: nn.Module, part: Batch, run: Run) -> PseudoTargets:
        scores = run.memory["offline scores"][rows_of(part)] if self.labels_from == "offline" else teacher
        return thresholded_targets(
            scores.to(teacher.device), run.memory["thresholds"].to(teacher.device), self.tau_negative
        )
