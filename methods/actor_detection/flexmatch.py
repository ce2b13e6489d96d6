"""FlexMatch's dynamic thresholds on label sets: lower for classes that are learned less (NeurIPS 2021)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from methods.actor_detection.parts.base import rows_of
from methods.actor_detection.parts.teacher_student import TeacherStudent
from methods.actor_detection.parts.thresholds import (
    PseudoTargets,
    Stretch,
    learning_status,
    stretch,
    thresholded_targets,
)
from suite.method import Batch, Run, hyper


class FlexMatch(TeacherStudent):
    """T_pos^j = M(status of class j) tau_pos, the status the share of unlabelled people above the threshold.

    An instance counts for every class above tau_pos, as it was last seen; thresholds never fall below tau_neg.
    """

    name = "flexmatch-actors"
    title = "FlexMatch thresholds"
    paper = "Zhang et al., FlexMatch, NeurIPS 2021, read for label sets"

    mapping: Stretch = hyper("convex", choices=("concave", "linear", "convex"), source="FlexMatch eq. 12: convex")

    def begin(self, run: Run) -> None:
        super().begin(run)
        people = len(run.data.train) if run.teacher is not None else 0
        run.memory["confident"] = torch.zeros(people, len(run.data.classes), dtype=torch.uint8, device=run.device)

    def pseudo_labels(self, teacher: Tensor, network: nn.Module, part: Batch, run: Run) -> PseudoTargets:
        run.memory["confident"][rows_of(part)] = (teacher > self.tau_positive).to(torch.uint8)
        return thresholded_targets(teacher, self.thresholds(run).to(teacher.device), self.tau_negative)

    def thresholds(self, run: Run) -> Tensor:
        """(C,) the positive thresholds as of now."""
        unlabelled = run.resident("unlabelled", np.flatnonzero(~run.data.train.labelled))
        status = learning_status(run.memory["confident"][unlabelled] > 0, len(unlabelled))
        return (stretch(status, self.mapping) * self.tau_positive).clamp(min=self.tau_negative)

    def analyses(self, run: Run) -> dict[str, float]:
        if run.teacher is None:
            return {}
        values = zip(run.data.classes, self.thresholds(run).tolist(), strict=True)
        return super().analyses(run) | {f"threshold: {name}": value for name, value in values}
