"""Distribution-balanced loss: class-aware sampling, re-balanced weights, tolerant negatives (Wu et al., ECCV 2020)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from torch import Tensor, nn

from methods.actor_detection.parts.base import ActorMethod, labelled_clips
from methods.actor_detection.parts.losses import balanced_mean
from methods.actor_detection.parts.rebalanced_loss import (
    EmptyRows,
    Rebalancing,
    Reweighting,
    Tolerance,
    distribution_balanced_loss,
)
from suite.method import Batch, Presets, Run, extended, hyper
from suite.tasks.actors.samples import Actors
from suite.tasks.data import TaskData


class DistributionBalanced(ActorMethod):
    """Labelled people alone, under the loss made for long-tailed label sets."""

    name = "distribution-balanced-actors"
    aliases = ("db-loss",)
    title = "Distribution-balanced loss"
    presets: ClassVar[Presets] = extended(
        ActorMethod.presets,
        published={"bias_divided": True, "loss_factor": 2.0, "empty_rows": "heavy"},
        voc={"bias_divided": True, "loss_factor": 2.0, "empty_rows": "heavy", "smooth_mu": 0.3, "negative_scale": 5.0},
    )
    paper = "Wu et al., Distribution-Balanced Loss for Multi-Label Classification in Long-Tailed Datasets, ECCV 2020"

    resample: bool = hyper(True, source="ECCV 2020 §3.1", help="draw a class first, then a clip that shows it")
    smooth_alpha: float = hyper(0.1, low=0.0, high=10.0, symbol="α", source="ECCV 2020 eq. 5")
    smooth_beta: float = hyper(10.0, low=0.0, high=1000.0, symbol="β", source="ECCV 2020 eq. 5")
    smooth_mu: float = hyper(0.2, low=0.0, high=10.0, symbol="μ", source="ECCV 2020 eq. 5; 0.2 or 0.3 by dataset")
    kappa: float = hyper(0.05, low=0.0, high=10.0, symbol="κ", source="ECCV 2020 §3.3")
    negative_scale: float = hyper(2.0, low=0.1, high=100.0, symbol="λ", source="ECCV 2020 eq. 7; 2 or 5 by dataset")
    focusing: float = hyper(2.0, low=0.0, high=10.0, symbol="γ", source="ECCV 2020 §4: the focal form")

    reweighting: Reweighting = hyper(
        "rebalanced",
        choices=("rebalanced", "inverse", "sqrt-inverse", "effective-number"),
        source="ECCV 2020 eq. 3; the others: its baselines",
    )
    bias_divided: bool = hyper(False, source="ECCV 2020 code", help="the class bias is divided by λ as well")
    loss_factor: float = hyper(1.0, low=0.0, high=100.0, source="ECCV 2020 code: 2", help="of the whole loss")
    empty_rows: EmptyRows = hyper(
        "light", choices=("light", "heavy"), source="heavy: ECCV 2020 code", help="weight of people without labels"
    )

    def supervised_loss(self, network: nn.Module, part: Batch, run: Run) -> Tensor:
        labelled = run.data.train.labels[run.data.train.labelled]
        counts = run.resident("class counts", labelled.sum(axis=0).astype(np.float32))
        logits, labels = self.inputs(run.data).logits(network, part, "weak", run), self.labels(part, run)
        return balanced_mean(distribution_balanced_loss(logits, labels, counts, len(labelled), *self.settings()))

    def settings(self) -> tuple[Rebalancing, Tolerance]:
        """The weights and the logits' regularization that the hyper-parameters declare."""
        smoothing = (self.smooth_alpha, self.smooth_beta, self.smooth_mu)
        rebalancing = Rebalancing(self.reweighting, *smoothing, self.empty_rows)
        scales = (self.kappa, self.negative_scale, self.bias_divided, self.focusing, self.loss_factor)
        return rebalancing, Tolerance(*scales)

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        if not self.resample:
            yield from super().batches(run, generator)
            return
        of_class = clips_of_classes(run.data)
        plan = []
        for _ in range(self.evaluate_steps):
            # Every class is drawn as often as any other, however many clips show it.
            chosen = generator.integers(len(of_class), size=self.batch)
            plan.append({"labelled": np.array([generator.choice(of_class[c]) for c in chosen], dtype=np.int64)})
        yield from self._drawn(run, plan, generator)


def clips_of_classes(data: TaskData[Actors]) -> list[np.ndarray]:
    """For every class that occurs, the labelled clips that show it; all labelled clips where no class occurs."""
    train = data.train
    known = [np.unique(train.clip[train.labelled & train.labels[:, c]]) for c in range(len(data.classes))]
    return [clips for clips in known if len(clips)] or [labelled_clips(data)]
