"""What all methods of semi-supervised localization share: a detector, budgets in steps, averaged weights.

As it stands, the class learns from the labelled videos alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from torch import nn

from methods.semi_localization.parts.detector import Detector, Labels
from methods.semi_localization.parts.part import adopt
from suite.errors import UsageError
from suite.evaluate.segments import Segments
from suite.method import Average, Batch, Losses, Method, Optimizer, Phase, Run, Schedule, Scores, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos


class SemiLocalization(Method):
    """Segments for some training videos, features for all. A method names its ``detector`` and defines its steps.

    Budgets count optimizer steps, so that a method that sees only labelled videos takes as many as one that also learns
    from the rest; ``budget="published"`` gives the published epochs instead.
    """

    task = "semi-localization"
    detector: Detector

    lr: float = hyper(1e-4, low=1e-8, high=1.0, log=True, source="ActionFormer, THUMOS-14; NPL §4.2")
    weight_decay: float = hyper(0.05, low=0.0, high=1.0, source="ActionFormer; NPL §4.2 says 1e-4")
    batch: int = hyper(2, low=1, high=4096, source="ActionFormer, THUMOS-14", help="labelled videos per step")
    budget: str = hyper(
        "matched",
        choices=("matched", "published"),
        help="matched: every method takes steps + semi_steps; published: the epochs of the papers",
    )
    steps: int = hyper(3500, low=1, high=10_000_000, help="steps on labelled videos (35 epochs of 200 videos by twos)")
    semi_steps: int = hyper(3600, low=1, high=10_000_000, help="steps that also see unlabelled videos")
    epochs: int = hyper(35, low=1, high=100_000, source="ActionFormer: 5 + 30", help="labelled epochs if published")
    semi_epochs: int = hyper(40, low=1, high=100_000, source="NPL §4.2", help="unlabelled epochs if published")
    warmup: float = hyper(5 / 35, low=0.0, high=0.9, source="ActionFormer: 5 of 35 epochs", help="share of the steps")
    clip: float = hyper(1.0, low=1e-6, high=1e6, source="ActionFormer", help="largest norm of a gradient")
    ema: str = hyper(
        "warmup",
        choices=("warmup", "published", "off"),
        help="average of the weights: decay min(0.999, (1+n)/(10+n)), or 0.999 from the first step on (which keeps "
        "0.999^n of the random start), or none",
    )
    evaluate_weights: str = hyper("average", choices=("average", "raw"), help="which weights are scored")
    evaluate_steps: int = hyper(500, low=1, high=1_000_000, help="steps between evaluations")

    def __init_subclass__(cls) -> None:
        adopt(cls)
        super().__init_subclass__()

    # Phases -------------------------------------------------------------------------------------------------------

    def labelled_steps(self, data: TaskData[Videos]) -> int:
        """Steps of the first, supervised phase."""
        if self.budget == "matched":
            return self.steps
        return self.epochs * max(1, len(labelled_rows(data)) // self.batch)

    def unlabelled_steps(self, data: TaskData[Videos]) -> int:
        """Steps of the phase that also sees unlabelled videos; an epoch is one pass over them."""
        if self.budget == "matched":
            return self.semi_steps
        return self.semi_epochs * max(1, len(unlabelled_rows(data)) // self.batch)

    def phase(self, data: TaskData[Videos], name: str, steps: int, select: bool = True) -> Phase:
        """``steps`` steps from the current weights with a fresh optimizer and average.

        Raises :class:`UsageError` where ``data`` labels no video or lacks what the detector needs.
        """
        require_labels(data)
        self.detector.check(data)
        average = None if self.ema == "off" else Average(0.999, warmup=self.ema == "warmup")
        averaged = average is not None and self.evaluate_weights == "average"
        return Phase(
            name=name,
            steps=steps,
            optimizer=Optimizer("adamw", lr=self.lr, weight_decay=self.weight_decay),
            schedule=Schedule("warmup-cosine", warmup=self.warmup * steps / self.evaluate_steps, floor=1e-8),
            clip_norm=self.clip,
            average=average,
            evaluate="average" if averaged else "network",
            select=select,
        )

    def phases(self, data: TaskData[Videos]) -> Sequence[Phase]:
        steps = self.labelled_steps(data)
        if self.budget == "matched":
            steps += self.unlabelled_steps(data)
        return [self.phase(data, "labelled", steps)]

    def steps_per_epoch(self, run: Run, generator: np.random.Generator) -> int:
        return self.evaluate_steps

    def ends(self, run: Run, phase: str) -> bool:
        """Whether the step just taken is the last of the phase called ``phase``."""
        total = run.phase.steps or run.phase.epochs * self.evaluate_steps
        return run.phase.name == phase and run.step == total

    # What the detector does ---------------------------------------------------------------------------------------

    def network(self, data: TaskData[Videos]) -> nn.Module:
        return self.detector.network(data)

    def parameter_groups(self, network: nn.Module) -> list[dict[str, Any]]:
        return self.detector.parameter_groups(network, self.weight_decay)

    def labelled_batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        """Endless batches of the labelled videos."""
        return self.detector.batches(run, labelled(run.data), self.batch, generator)

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        for batch in islice(self.labelled_batches(run, generator), self.evaluate_steps):
            yield {"labelled": batch}

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        return self.detector.loss(network, batch["labelled"], run, "labelled")

    def score(self, network: nn.Module, samples: Videos, run: Run) -> Scores:
        return self.detector.score(network, samples, run)

    def decode(self, scores: Scores, samples: Videos) -> Segments:
        return self.detector.decode(scores, samples)


def labelled_rows(data: TaskData[Videos]) -> np.ndarray:
    """Training videos whose segments are known."""
    return np.flatnonzero(data.train.labelled)


def labelled(data: TaskData[Videos]) -> Labels:
    """The labelled training videos with their segments."""
    return Labels(labelled_rows(data), data.train.known_segments())


def unlabelled_rows(data: TaskData[Videos]) -> np.ndarray:
    """Training videos whose segments are withheld."""
    return np.flatnonzero(~np.asarray(data.train.labelled))


def require_labels(data: TaskData[Videos]) -> None:
    """Raise :class:`UsageError` where no training video is labelled."""
    if not len(labelled_rows(data)):
        raise UsageError(f"{data.name} labels no training video; raise its dial labelled.")
