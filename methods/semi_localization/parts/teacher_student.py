"""Teacher and student on BMN: what consistency methods share.

One phase; every step sees labelled and unlabelled windows, and the teacher is the running average of the student.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from methods.networks.bmn.model import BoundaryMap
from methods.semi_localization.parts.base import SemiLocalization, unlabelled_rows
from methods.semi_localization.parts.proposal_network import ProposalNetwork
from methods.semi_localization.parts.windows import unlabelled_batches
from suite.method import Average, Batch, Phase, Run, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos


class TeacherStudent(SemiLocalization):
    """Batches of labelled and unlabelled windows and a ramped consistency weight."""

    presets = ProposalNetwork.presets
    detector = ProposalNetwork()

    consistency: float = hyper(6.0, low=0.0, high=1000.0, source="SSTAP's code", help="largest weight of consistency")
    ramp: float = hyper(0.5, low=0.0, high=1.0, source="SSTAP: 5 of 10 epochs", help="share of the steps")

    def phases(self, data: TaskData[Videos]) -> Sequence[Phase]:
        phase = super().phases(data)[0]
        return [replace(phase, name="teacher-student", average=phase.average or Average(0.999, warmup=True))]

    def weight(self, run: Run) -> float:
        """exp(-5 (1 - t)^2) of the largest weight, t the share of the ramp that is over (Laine and Aila 2017)."""
        total = self.ramp * (run.phase.steps or run.phase.epochs * self.evaluate_steps)
        gone = min(1.0, run.step / total) if total > 0 else 1.0
        return self.consistency * math.exp(-5 * (1 - gone) ** 2)

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        windows = self.detector.windows(run.data.train, unlabelled_rows(run.data))
        others = unlabelled_batches(windows, self.batch, generator)
        for labelled in islice(self.labelled_batches(run, generator), self.evaluate_steps):
            batch: Batch = {"labelled": labelled, **next(others)}
            yield {**batch, **self.perturbations(batch, generator)}

    def perturbations(self, batch: Batch, generator: np.random.Generator) -> Batch:
        """Random numbers of this step that need the epoch's generator."""
        return {}

    @staticmethod
    def everything(batch: Batch) -> Tensor:
        """(B, T, D) labelled and unlabelled windows, one after the other."""
        parts = [batch[group]["features"] for group in ("labelled", "unlabelled") if group in batch]
        return torch.cat(parts)


@torch.no_grad()
def taught(teacher: nn.Module | None, network: nn.Module, features: Tensor) -> BoundaryMap:
    """What the teacher (or without one, the network itself) says; no gradient."""
    found: BoundaryMap = (teacher or network)(features)[0]
    return BoundaryMap(*(part.detach() for part in found))


def disagreement(student: BoundaryMap, teacher: BoundaryMap) -> Tensor:
    """Sum of the mean square differences of starts, ends and (one mean over both) confidence maps."""
    start = (student.start - teacher.start).square().mean()
    end = (student.end - teacher.end).square().mean()
    maps = (student.regression - teacher.regression).square().mean()
    maps = (maps + (student.classification - teacher.classification).square().mean()) / 2
    return start + end + maps
