"""FlexMatch's dynamic thresholds on label sets: lower for classes that are learned less (NeurIPS 2021)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from methods.actor_detection.parts.base import rows_of
from methods.actor_detection.parts.teacher_student import TeacherStudent
from methods.actor_detection.parts.thresholds import (
    PseudoTargets,
    Stretch,
    last_confident,
    learning_status,
    single_label_status,
    single_label_targets,
    stretch,
    thresholded_targets,
)
from suite.method import Batch, Presets, Run, Selection, extended, hyper


class FlexMatch(TeacherStudent):
    """T_pos^j = M(status of class j) tau_pos, with the status before the batch, as released.

    ``reading``: ``label-set``, ours: a person counts for every class above tau_pos, keeps its last confident classes
    until others take their place, and thresholds never fall below tau_neg (at status 0 everything would pass).
    ``single-label``, the released logic: the arg-max alone is counted and taught, and thresholds start at 0.
    """

    name = "flexmatch-actors"
    aliases = ("flexmatch",)
    title = "FlexMatch thresholds"
    paper = "Zhang et al., FlexMatch, NeurIPS 2021, read for label sets"
    presets: ClassVar[Presets] = extended(
        TeacherStudent.presets, published={"reading": "single-label", "tau_positive": 0.95, "weight": 1.0}
    )
    published_selection: ClassVar[Selection] = "oracle"

    mapping: Stretch = hyper("convex", choices=("concave", "linear", "convex"), source="FlexMatch eq. 12: convex")
    reading: str = hyper(
        "label-set", choices=("label-set", "single-label"), source="single-label: released code", help="what is counted"
    )
    warm_up: bool = hyper(True, source="FlexMatch eq. 11", help="people without a confident class enter the maximum")

    def begin(self, run: Run) -> None:
        super().begin(run)
        people, classes = len(run.data.train) if run.teacher is not None else 0, len(run.data.classes)
        run.memory["confident"] = torch.zeros(people, classes, dtype=torch.uint8, device=run.device)
        run.memory["selected"] = torch.full((people,), -1, dtype=torch.int64, device=run.device)
        run.memory["status"] = torch.zeros(classes, device=run.device)

    def pseudo_labels(self, teacher: Tensor, network: nn.Module, part: Batch, run: Run) -> PseudoTargets:
        before, rows = self.thresholds(run).to(teacher.dtype), rows_of(part)
        if self.reading == "single-label":
            run.memory["selected"] = last_confident(run.memory["selected"], rows, teacher, self.tau_positive)
            known = run.memory["selected"][self._unlabelled(run)]
            run.memory["status"] = single_label_status(known, run.memory["status"], self.warm_up)
            return single_label_targets(teacher, before, self.tau_negative)
        confident = teacher > self.tau_positive
        kept = torch.where(confident.any(dim=1, keepdim=True), confident, run.memory["confident"][rows] > 0)
        run.memory["confident"][rows] = kept.to(torch.uint8)
        return thresholded_targets(teacher, before, self.tau_negative)

    def thresholds(self, run: Run) -> Tensor:
        """(C,) the positive thresholds as of now."""
        if self.reading == "single-label":
            return stretch(run.memory["status"], self.mapping) * self.tau_positive
        unlabelled = self._unlabelled(run)
        people = len(unlabelled) if self.warm_up else 0
        status = learning_status(run.memory["confident"][unlabelled] > 0, people)
        return (stretch(status, self.mapping) * self.tau_positive).clamp(min=self.tau_negative)

    def _unlabelled(self, run: Run) -> Tensor:
        return run.resident("unlabelled", np.flatnonzero(~run.data.train.labelled))

    def analyses(self, run: Run) -> dict[str, float]:
        if run.teacher is None:
            return {}
        values = zip(run.data.classes, self.thresholds(run).tolist(), strict=True)
        return super().analyses(run) | {f"threshold: {name}": value for name, value in values}
