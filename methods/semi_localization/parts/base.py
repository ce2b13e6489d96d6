"""What all methods of semi-supervised localization share: a detector, budgets in steps, averaged weights.

As it stands, the class learns from the labelled videos alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar, Literal

import numpy as np
from torch import nn

from methods.semi_localization.parts.detector import NOTHING, Detector, Labels
from methods.semi_localization.parts.part import adopt
from suite.errors import UsageError
from suite.evaluate.scoring.pool import Pool, Thinning
from suite.evaluate.segments import Segments
from suite.method import Average, Batch, Losses, Method, Optimizer, Phase, Run, Schedule, Scores, Selection, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

AVERAGES: dict[str, Average | None] = {
    "warmup": Average(0.999, warmup=True),
    "published": Average(0.999),
    "slow": Average(0.999, warmup=True, ramp=(0.0, 20.0)),
    "off": None,
}


class SemiLocalization(Method):
    """Segments for some training videos, features for all. A method names its ``detector`` and defines its steps.

    Budgets count optimizer steps, so that a method that sees only labelled videos takes as many as one that also learns
    from the rest; ``budget="published"`` gives the published epochs instead.
    """

    task = "semi-localization"
    published_selection: ClassVar[Selection] = (
        "last"  # the codes of ActionFormer, BMN, SSTAP and SPOT evaluate their last epoch
    )
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
    optimizer: Literal["adamw", "adam"] = hyper(
        "adamw", choices=("adamw", "adam"), source="ActionFormer", help="adam adds the decay to the gradient"
    )
    schedule: str = hyper(
        "cosine", choices=("cosine", "step"), source="ActionFormer", help="cosine after the warm-up, or falls"
    )
    fall_after: float = hyper(1.0, low=0.01, high=1.0, help="for schedule=step: share of a phase between two falls")
    fall: float = hyper(0.1, low=0.0, high=1.0, source="both codes of BMN", help="for schedule=step: factor of a fall")
    clip: float = hyper(1.0, low=0.0, high=1e6, source="ActionFormer", help="largest norm of a gradient; 0: any")
    ema: str = hyper(
        "warmup",
        choices=tuple(AVERAGES),
        help="average of the weights: decay min(0.999, (1+n)/(10+n)); published: 0.999 from the first step on (which "
        "keeps 0.999^n of the random start); slow: min(0.999, n/(20+n)), as SSTAP's code; or none",
    )
    evaluate_weights: str = hyper("average", choices=("average", "raw"), help="which weights are scored")
    evaluate_steps: int = hyper(500, low=1, high=1_000_000, help="steps between evaluations")

    @classmethod
    def cautions(cls, params: Mapping[str, Any]) -> list[str]:
        """Lengths in steps that were set for nothing."""
        unused = [name for name in ("steps", "semi_steps") if params[name] != cls.hypers[name].default]
        if params["budget"] != "published" or not unused:
            return []
        return [
            f"with budget=published {cls.name} trains for the papers' epochs, whatever {' and '.join(unused)} may be; "
            "give --set budget=matched to train for so many steps"
        ]

    def __init_subclass__(cls) -> None:
        adopt(cls)
        super().__init_subclass__()

    # Phases -------------------------------------------------------------------------------------------------------

    def labelled_steps(self, data: TaskData[Videos]) -> int:
        """Steps of the first, supervised phase; an epoch is one pass over what the labelled videos give to batches."""
        return self.steps if self.budget == "matched" else self.epochs * self.steps_of(data, labelled(data))

    def unlabelled_steps(self, data: TaskData[Videos]) -> int:
        """Steps of the phase that also sees unlabelled videos; an epoch is one pass over them."""
        if self.budget == "matched":
            return self.semi_steps
        return self.semi_epochs * self.steps_of(data, Labels(unlabelled_rows(data), NOTHING))

    def steps_of(self, data: TaskData[Videos], labels: Labels) -> int:
        """Steps of one pass over the training videos of ``labels``; what does not fill a batch is left out."""
        return max(1, self.detector.count(data.train, labels) // self.batch)

    def phase(self, data: TaskData[Videos], name: str, steps: int, select: bool = True) -> Phase:
        """``steps`` steps from the current weights with a fresh optimizer and average.

        Raises :class:`UsageError` where ``data`` labels no video or lacks what the detector needs.
        """
        require_labels(data)
        self.detector.check(data)
        average = AVERAGES[self.ema]
        averaged = average is not None and self.evaluate_weights == "average"
        return Phase(
            name=name,
            steps=steps,
            optimizer=self.optimizer_settings(),
            schedule=self.rates(steps),
            clip_norm=self.clip or None,
            average=average,
            evaluate="average" if averaged else "network",
            select=select,
        )

    def optimizer_settings(self) -> Optimizer:
        """The optimizer of every phase."""
        return Optimizer(self.optimizer, lr=self.lr, weight_decay=self.weight_decay)

    def rates(self, steps: int) -> Schedule:
        """The learning rate over ``steps`` steps; an epoch of the loop is ``evaluate_steps`` of them."""
        if self.schedule == "cosine":
            return Schedule("warmup-cosine", warmup=self.warmup * steps / self.evaluate_steps, floor=1e-8)
        falls = range(1, math.ceil(1 / self.fall_after - 1e-9))
        # half a step early: the first step after the fall has the lower rate, whatever the rounding
        milestones = tuple((round(fall * self.fall_after * steps) - 0.5) / self.evaluate_steps for fall in falls)
        return Schedule("step", milestones=milestones, gamma=self.fall)

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

    # What searches share (suite.tasks.localization.scoring.search) ------------------------------------------------

    thins: ClassVar[frozenset[str]] = frozenset({"nms_sigma", "min_score", "max_segments", "voting"})
    chooses: ClassVar[str] = ""

    def pool(self, scores: Scores, samples: Videos) -> Pool:
        """The detector's candidates."""
        return self.detector.pool(scores, samples)

    def thinning(self) -> Thinning | None:
        """What the detector does with them."""
        return self.detector.thinning()


def labelled_rows(data: TaskData[Videos]) -> np.ndarray:
    """Training videos whose segments are known."""
    return np.flatnonzero(data.train.labelled)


def labelled(data: TaskData[Videos]) -> Labels:
    """The labelled training videos with their segments."""
    return Labels(labelled_rows(data), data.train.known_segments())


def unlabelled_rows(data: TaskData[Videos]) -> np.ndarray:
    """Training videos whose segments are withheld."""
    return np.flatnonzero(~np.asarray(data.train.labelled))


def unlabelled_share(data: TaskData[Videos]) -> float:
    """Share of the training videos whose segments are withheld."""
    return len(unlabelled_rows(data)) / max(1, len(data.train))


def require_labels(data: TaskData[Videos]) -> None:
    """Raise :class:`UsageError` where no training video is labelled."""
    if not len(labelled_rows(data)):
        raise UsageError(f"{data.name} labels no training video; raise its dial labelled.")
