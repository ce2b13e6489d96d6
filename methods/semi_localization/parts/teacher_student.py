"""Teacher and student on BMN: what consistency methods share.

One phase; every step sees labelled and unlabelled windows, and the teacher is the running average of the student.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from methods.networks.bmn.model import BoundaryMap
from methods.semi_localization.parts.base import SemiLocalization, unlabelled_rows, unlabelled_share
from methods.semi_localization.parts.proposal_network import ProposalNetwork
from methods.semi_localization.parts.unlabelled_windows import UnlabelledWindows
from suite.method import Average, Batch, Phase, Run, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

GROUPS = ("labelled", "unlabelled")


class TeacherStudent(SemiLocalization):
    """Batches of labelled and unlabelled windows and a ramped consistency weight."""

    presets = ProposalNetwork.presets
    detector = ProposalNetwork()
    unlabelled = UnlabelledWindows()

    consistency: float = hyper(6.0, low=0.0, high=1000.0, source="SSTAP's code", help="largest weight of consistency")
    ramp: float = hyper(0.5, low=0.0, high=1.0, source="SSTAP: 5 of 10 epochs", help="share of the steps")

    def phases(self, data: TaskData[Videos]) -> Sequence[Phase]:
        phase = super().phases(data)[0]
        return [replace(phase, name="teacher-student", average=phase.average or Average(0.999, warmup=True))]

    def weight(self, run: Run) -> float:
        """exp(-5 (1 - t)^2) of the largest weight, t the share of the ramp that is over (Laine and Aila 2017).

        With published budgets t changes at each epoch, as in SSTAP's code; otherwise at each step.
        """
        total = run.phase.steps or run.phase.epochs * self.evaluate_steps
        step = run.step
        if self.budget == "published":
            epoch = total // self.epochs or 1
            step = step // epoch * epoch
        over = min(1.0, step / (self.ramp * total)) if self.ramp > 0 else 1.0
        return self.consistency * math.exp(-5 * (1 - over) ** 2)

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        windows = self.detector.windows(run.data.train, unlabelled_rows(run.data))
        others = self.unlabelled.batches(windows, unlabelled_share(run.data), self.batch, generator)
        for labelled in islice(self.labelled_batches(run, generator), self.evaluate_steps):
            yield self.perturbed({"labelled": labelled, **next(others)}, generator)

    def perturbed(self, batch: Batch, generator: np.random.Generator) -> Batch:
        """``batch`` with the random numbers of this step, those of each group beside its windows."""
        sizes = {name: len(batch[name]["features"]) for name in GROUPS if name in batch}
        channels = batch["labelled"]["features"].shape[2]
        for name, values in self.perturbations(list(sizes.values()), channels, generator).items():
            for group, part in zip(sizes, values.split(list(sizes.values())), strict=True):
                batch[group] = {**batch[group], name: part}
        return batch

    def perturbations(
        self, sizes: Sequence[int], channels: int, generator: np.random.Generator
    ) -> Mapping[str, Tensor]:
        """Random numbers for groups of ``sizes`` windows, one row per window, drawn with ``generator`` alone."""
        return {}

    @staticmethod
    def everything(batch: Batch, name: str = "features") -> Tensor:
        """(B, ...) what labelled and unlabelled windows hold under ``name``, one group after the other."""
        return torch.cat([batch[group][name] for group in GROUPS if group in batch])


@torch.no_grad()
def taught(teacher: nn.Module | None, network: nn.Module, features: Tensor) -> BoundaryMap:
    """What the teacher (or without one, the network itself) predicts; no gradient."""
    found: BoundaryMap = (teacher or network)(features)[0]
    return BoundaryMap(*(part.detach() for part in found))


def disagreement(student: BoundaryMap, teacher: BoundaryMap) -> Tensor:
    """(B,) sums of the mean square differences of starts, ends and (one mean over both) confidence maps of windows."""
    pairs = zip(student, teacher, strict=True)
    start, end, *maps = ((own - other).square().flatten(1).mean(1) for own, other in pairs)
    return start + end + sum(maps) / 2
