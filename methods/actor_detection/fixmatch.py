"""FixMatch on label sets: weak teacher, strong student, one pair of thresholds for all classes (Sohn et al., 2020)."""

from __future__ import annotations

from methods.actor_detection.parts.teacher_student import TeacherStudent


class FixMatch(TeacherStudent):
    """Fixed thresholds, the teacher follows the student, no balancing (MM 2022, supplement E.3)."""

    name = "fixmatch-actors"
    aliases = ("fixmatch",)
    title = "FixMatch"
    paper = "Sohn et al., FixMatch, NeurIPS 2020, as in Zhang et al., MM 2022, supplement E.3"
