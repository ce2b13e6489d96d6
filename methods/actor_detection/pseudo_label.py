"""Pseudo-label on label sets: a fixed teacher, and the weak view for labelled and unlabelled people (Lee, 2013)."""

from __future__ import annotations

from methods.actor_detection.parts.feature_inputs import View
from methods.actor_detection.parts.teacher_student import TeacherStudent
from suite.method import hyper


class PseudoLabel(TeacherStudent):
    """Fixed thresholds, weak views for labelled and unlabelled clips, no balancing (MM 2022, supplement E.1)."""

    name = "pseudo-label-actors"
    aliases = ("pseudo-label",)
    title = "Pseudo-label"
    paper = "Lee, Pseudo-Label, ICML Workshop 2013, as in Zhang et al., MM 2022, supplement E.1"

    ema: float = hyper(1.0, low=0.0, high=1.0, symbol="m", source="MM 2022, supplement E.1: the teacher is not updated")

    student_view: View = "weak"
