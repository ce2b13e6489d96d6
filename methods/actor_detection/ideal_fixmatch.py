"""FixMatch with the hidden labels in place of pseudo-labels, an upper bound for label sets."""

from __future__ import annotations

from torch import Tensor, nn

from methods.actor_detection.parts.base import rows_of
from methods.actor_detection.parts.teacher_student import TeacherStudent
from methods.actor_detection.parts.thresholds import PseudoTargets
from suite.method import Batch, Run


class IdealFixMatch(TeacherStudent):
    """Unlabelled people teach their true label sets on strong views: what pseudo-labels could bring at best."""

    name = "ideal-fixmatch-actors"
    title = "Ideal FixMatch"
    paper = "Zhang et al., Semi-supervised Learning for Multi-label Video Action Detection, MM 2022"
    oracle = True

    def pseudo_labels(self, teacher: Tensor, network: nn.Module, part: Batch, run: Run) -> PseudoTargets:
        truth = run.resident("labels", run.data.train.labels)[rows_of(part)].to(teacher.dtype)
        return PseudoTargets(truth, truth, 1 - truth)
