"""Noisy Student on label sets: each round's student, trained on strong views, is the next teacher (CVPR 2020)."""

from __future__ import annotations

from collections.abc import Sequence

from methods.actor_detection.parts.teacher_student import TeacherStudent
from suite.method import Phase, hyper
from suite.tasks.actors.samples import Actors
from suite.tasks.data import TaskData


class NoisyStudent(TeacherStudent):
    """Rounds with a teacher that is fixed within a round (MM 2022, supplement E.2).

    The rounds share the semi-supervised steps, so that the budget is that of the other methods. A student goes on from
    its teacher's weights, as every semi-supervised training of the paper starts from the supervised network.
    """

    name = "noisy-student-actors"
    aliases = ("noisy-student",)
    title = "Noisy Student"
    paper = "Xie et al., Noisy Student, CVPR 2020, as in Zhang et al., MM 2022, supplement E.2"

    rounds: int = hyper(2, low=1, high=10, source="MM 2022, supplement E.2: twice")
    ema: float = hyper(1.0, low=0.0, high=1.0, symbol="m", source="MM 2022, supplement E.2: fixed within a round")

    def phases(self, data: TaskData[Actors]) -> Sequence[Phase]:
        self.require_unlabelled(data)
        steps = max(1, self.semi_steps // self.rounds)
        rounds = [self.semi_phase(steps, f"round {number + 1}") for number in range(self.rounds)]
        return [self.supervised_phase(self.steps, select=False), *rounds]
