"""What all methods of actor detection share: networks for features and clips, budgets in steps, batches, scoring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from methods.actor_detection.parts.augment_clips import RandAugment, Time
from methods.actor_detection.parts.clip_inputs import ClipAugmentation, ClipInputs, Decoding, places_of
from methods.actor_detection.parts.feature_inputs import FeatureAugmentation, FeatureInputs, View
from methods.actor_detection.parts.losses import action_probabilities, balanced_mean, multi_label_loss
from methods.networks.slowfast_detector import ActorDetector, Head
from methods.networks.slowfast_release import RELEASE
from suite.errors import UsageError
from suite.method import (
    Batch,
    Losses,
    Method,
    Optimizer,
    Phase,
    Presets,
    Run,
    Schedule,
    Scores,
    Selection,
    Value,
    hyper,
)
from suite.tasks.actors.samples import Actors, ActorScores
from suite.tasks.data import TaskData
from suite.weights import InitialWeights

Inputs = FeatureInputs | ClipInputs
# Few steps, and no pre-trained weights needed: AdamW at its usual rate.
RECOMMENDED: dict[str, Value] = {
    "rule": "adamw",
    "lr": 1e-3,
    "semi_lr": 3e-4,
    "weight_decay": 1e-4,
    "batch": 32,
    "steps": 2000,
    "semi_steps": 2000,
    "evaluate_steps": 200,
}
# MM 2022 §4.2 after ACAR: six epochs with two falls, frozen normalization, jittered boxes, then one cycle.
PUBLISHED: dict[str, Value] = {"schedule": "acar", "frozen_bn": True, "jitter": 0.075, "dropout": 0.0}
UCF101: dict[str, Value] = {**PUBLISHED, "lr": 0.002, "steps": 5400, "semi_steps": 5400, "semi_lr": 8e-4}  # supp. D


class ActorMethod(InitialWeights, Method):
    """Label sets of people, learned from boxes with labels. Subclasses add their use of unlabelled people.

    A dataset with features trains a small network on them; one with clips trains SlowFast, with the linear head or with
    ACAR's relation head. Budgets count optimizer steps, so that methods take equally many on any input; an epoch is
    ``evaluate_steps`` steps.
    """

    task = "actor-detection"
    presets: ClassVar[Presets] = {"recommended": RECOMMENDED, "published": PUBLISHED, "published-ucf101": UCF101}
    published_selection: ClassVar[Selection] = "last"

    steps: int = hyper(35_000, low=1, high=10_000_000, source="MM 2022 §4.2.3 after ACAR", help="supervised steps")
    semi_steps: int = hyper(35_000, low=1, high=10_000_000, source="MM 2022 §4.2.3", help="semi-supervised steps")
    evaluate_steps: int = hyper(1000, low=1, high=1_000_000, help="steps between evaluations")
    batch: int = hyper(
        16, low=1, high=4096, source="MM 2022 §4.2.3", help="clips per step, labelled and unlabelled each"
    )
    lr: float = hyper(0.064, low=1e-6, high=100.0, log=True, packed=True, source="ACAR: peak rate, supervised steps")
    semi_lr: float = hyper(
        0.0064, low=1e-7, high=100.0, log=True, packed=True, source="MM 2022 §4.2.3: peak of one cycle"
    )
    rule: str = hyper("sgd", choices=("sgd", "adamw"), source="MM 2022 §4.2.3: SGD", help="optimizer")
    schedule: str = hyper(
        "one-cycle", choices=("one-cycle", "acar"), source="ACAR: 1 of 6 epochs from lr/8, falls at 5.6 and 5.8",
        help="learning rate of the supervised steps",
    )  # fmt: skip
    momentum: float = hyper(0.9, low=0.0, high=0.999, source="MM 2022 §4.2.3")
    weight_decay: float = hyper(1e-7, low=0.0, high=1.0, packed=True, source="MM 2022 §4.2.3")
    pose_softmax: bool = hyper(False, source="ACAR code; MM 2022 §3.2 has a sigmoid", help="softmax over the poses")

    hidden: int = hyper(256, low=1, high=65_536, help="feature network: units of a hidden layer")
    layers: int = hyper(1, low=0, high=16, help="feature network: hidden layers")
    dropout: float = hyper(0.5, low=0.0, high=0.95, source="SlowFast: before the linear map", help="dropout")
    weak_noise: float = hyper(0.1, low=0.0, high=10.0, help="features, weak view: noise in deviations of a channel")
    strong_noise: float = hyper(0.5, low=0.0, high=10.0, help="features, strong view: noise in deviations of a channel")
    redraw: bool = hyper(True, help="features, strong view: nuisance drawn anew where the dataset knows its directions")
    labelled_view: View = hyper("weak", choices=("weak", "strong"), help="view of labelled people that is learned from")
    masked: float = hyper(0.3, low=0.0, high=0.99, help="features, strong view: share of channels masked")

    width: int = hyper(64, low=1, high=256, source="SlowFast R50", help="clips: channels of the slow stem")
    blocks: str = hyper("3-4-6-3", source="SlowFast R50", help="clips: residual blocks of the stages")
    alpha: int = hyper(4, low=1, high=32, source="SlowFast 8x8", help="clips: frames of the fast pathway per slow one")
    beta_inverse: int = hyper(8, low=1, high=64, source="SlowFast", help="clips: slow channels per fast one")
    head: Head = hyper(
        "linear", choices=("linear", "relation"), timed=True, help="clips: head of SlowFast or ACAR (no feature bank)"
    )
    relation_dropout: float = hyper(0.2, low=0.0, high=0.95, source="ACAR", help="clips: inside the relation head")
    frozen_bn: bool = hyper(
        False, source="ACAR", help="clips: batch norms stay as initial weights bring them; no effect without weights"
    )
    flip: float = hyper(0.5, low=0.0, high=1.0, source="MM 2022 §4.2.3", help="clips: probability of the mirror image")
    jitter: float = hyper(0.0, low=0.0, high=0.5, source="ACAR: 0.075", help="clips: jitter of boxes in their sizes")
    operations: int = hyper(2, low=0, high=16, source="RandAugment: N", help="clips, strong view: operations")
    magnitude: float = hyper(9.0, low=0.0, high=10.0, source="RandAugment: M", help="clips, strong view: strength")
    time: Time = hyper(
        "constant", choices=("constant", "interpolated"), help="clips, strong view: strength over frames"
    )
    geometric: bool = hyper(False, help="clips, strong view: also shear, translate and rotate, boxes with them")
    still: bool = hyper(False, help="clips: the key frame in place of every frame, to measure what motion adds")
    decoders: int = hyper(0, low=0, high=64, help="clips: threads that decode ahead, 0: as many as the run has CPUs")
    decoding: Decoding = hyper(
        "software", choices=("software", "hardware"), help="clips: by the node's own device where it has one that can"
    )
    keep_decoded: int = hyper(0, low=0, high=1_000_000, help="clips: how many stay decoded in memory, of each split")

    _inputs: tuple[object, Inputs] | None = None

    # The contract ----------------------------------------------------------------------------------------------------

    def phases(self, data: TaskData[Actors]) -> Sequence[Phase]:
        return [self.supervised_phase(self.steps), self.supervised_phase(self.semi_steps, "continued", self.semi_lr)]

    def network(self, data: TaskData[Actors]) -> nn.Module:
        inputs = self.inputs(data)
        if isinstance(inputs, FeatureInputs):
            return inputs.network(self.hidden, self.layers, self.dropout)
        blocks = self._blocks()
        size = (self.width, blocks, self.alpha, self.beta_inverse)
        dropout = self.dropout if self.head == "linear" else self.relation_dropout
        frozen = self.frozen_bn and bool(self.weights)  # what was never trained must not be frozen
        return self.initialized(ActorDetector(len(data.classes), *size, frozen, self.head, dropout), RELEASE)

    def packs(self, data: TaskData[Actors]) -> bool:
        """Networks over features: those over pixels are as large as one device can take."""
        return data.train.frames is None

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        labelled = self._stream(labelled_clips(run.data), generator)
        yield from self._drawn(run, [{"labelled": next(labelled)} for _ in range(self.evaluate_steps)], generator)

    def steps_per_epoch(self, run: Run, generator: np.random.Generator) -> int:
        return self.evaluate_steps

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        return {"supervised": self.supervised_loss(network, batch["labelled"], run)}

    def score(self, network: nn.Module, samples: Actors, run: Run) -> Scores:
        inputs = self.inputs(run.data)
        logits = torch.from_numpy(inputs.score(network, samples, run))
        scores = action_probabilities(logits, self.poses(run.data))
        if isinstance(inputs, ClipInputs):
            run.log("clips that do not decode", float(inputs.broken()))
        return {"scores": torch.nan_to_num(scores, nan=0.0).numpy()}

    def decode(self, scores: Scores, samples: Actors) -> ActorScores:
        return ActorScores(scores["scores"])

    # Parts that subclasses use --------------------------------------------------------------------------------------

    def supervised_phase(self, steps: int, name: str = "supervised", lr: float = 0.0, select: bool = True) -> Phase:
        """``steps`` steps on labelled clips."""
        return Phase(
            name=name,
            steps=steps,
            optimizer=self.optimizer(lr or self.lr),
            schedule=self.supervised_schedule(steps),
            select=select,
        )

    def supervised_schedule(self, steps: int) -> Schedule:
        """One cycle; or ACAR's six epochs, which last ``steps`` steps: warm-up in the first, two falls near the end."""
        if self.schedule == "one-cycle":
            return Schedule("one-cycle")
        epoch = steps / 6 / self.evaluate_steps  # the engine's epochs are as long as the time between evaluations
        return Schedule("step", warmup=epoch, start=1 / 8, milestones=(5.6 * epoch, 5.8 * epoch))

    def optimizer(self, lr: float) -> Optimizer:
        """SGD with Nesterov momentum, as ACAR trains; AdamW trains from random weights in fewer steps."""
        if self.rule == "adamw":
            return Optimizer("adamw", lr, self.weight_decay)
        return Optimizer("sgd", lr, self.weight_decay, momentum=self.momentum, nesterov=self.momentum > 0)

    def inputs(self, data: TaskData[Actors]) -> Inputs:
        """Features or clips of ``data`` as training material."""
        if self._inputs is None or self._inputs[0] is not data:
            self._inputs = (data, self._make_inputs(data))
        return self._inputs[1]

    def poses(self, data: TaskData[Actors]) -> int:
        """How many of the first classes share a softmax."""
        return int(data.facts.get("poses", 0)) if self.pose_softmax else 0

    def labels(self, part: Batch, run: Run) -> Tensor:
        """(n, C) labels of the labelled actors of a batch."""
        return run.resident("labels", run.data.train.labels)[rows_of(part)].float()

    def supervised_loss(self, network: nn.Module, part: Batch, run: Run) -> Tensor:
        """Binary cross-entropy on ``labelled_view``, mean over actors and classes."""
        logits = self.inputs(run.data).logits(network, part, self.labelled_view, run)
        return balanced_mean(multi_label_loss(logits, self.labels(part, run), self.poses(run.data)))

    def _make_inputs(self, data: TaskData[Actors]) -> Inputs:
        if data.train.frames is None:
            if data.train.features.shape[1] == 0:
                raise UsageError(f"{data.name} has neither features nor pixels to learn from; put its videos in place.")
            return FeatureInputs(
                data, FeatureAugmentation(self.weak_noise, self.strong_noise, self.masked, self.redraw)
            )
        strong = RandAugment(self.operations, self.magnitude, self.time, self.geometric)
        augmentation = ClipAugmentation(self.flip, self.jitter, strong)
        hardware = self.decoding == "hardware"
        return ClipInputs(data, augmentation, self.keep_decoded, self.decoders, self.still, hardware)

    def _blocks(self) -> list[int]:
        parts = self.blocks.split("-")
        if not all(part.isdigit() and int(part) > 0 for part in parts) or not 2 <= len(parts) <= 4:
            raise UsageError(f"{self.name}: blocks={self.blocks} is not a depth; write two to four counts as 3-4-6-3.")
        return [int(part) for part in parts]

    def _stream(self, clips: np.ndarray, generator: np.random.Generator) -> Iterator[np.ndarray]:
        """Groups of ``batch`` clips without end, in a new order after each pass."""
        if len(clips) == 0:
            raise UsageError(f"{self.name}: no training clip has labelled people; raise the dataset's 'labelled'.")
        order = generator.permutation(clips)
        while True:
            # The rest of a pass opens the next batch, so that every clip comes equally often.
            while len(order) < self.batch:
                order = np.concatenate([order, generator.permutation(clips)])
            yield order[: self.batch]
            order = order[self.batch :]

    def _drawn(self, run: Run, plan: list[dict[str, np.ndarray]], generator: np.random.Generator) -> Iterator[Batch]:
        """The batches of a plan: groups of clips by the name of their part."""
        inputs = self.inputs(run.data)
        if isinstance(inputs, FeatureInputs):
            yield from ({name: inputs.draw(clips, generator) for name, clips in step.items()} for step in plan)
            return
        parts = inputs.batches([clips for step in plan for clips in step.values()], generator)
        for step in plan:
            batch = {name: next(parts) for name in step}
            # No clip of the batch could be decoded: the step is left out.
            if len(batch["labelled"]["frames"]):
                yield batch


def rows_of(part: Batch) -> Tensor:
    """(n,) rows of the training set that a part of a batch holds, in the order of its logits."""
    return _of_people(part, "rows")


def draws_of(part: Batch) -> Tensor:
    """(n,) a uniform number for each actor of a part."""
    return _of_people(part, "uniform")


def _of_people(part: Batch, name: str) -> Tensor:
    """(n,) values of a part: parts of features have one for each of their people, parts of clips padded ones."""
    values: Tensor = part[name]
    return values.flatten()[places_of(part)] if "people" in part else values


def labelled_clips(data: TaskData[Actors]) -> np.ndarray:
    """Training clips with labelled people; clips without people are left out."""
    return np.unique(data.train.clip[data.train.labelled])


def unlabelled_clips(data: TaskData[Actors]) -> np.ndarray:
    """Training clips with people whose labels are not known."""
    return np.unique(data.train.clip[~data.train.labelled])
