"""One training under way: a method, its data, its schedule, and what it has measured so far."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from suite.errors import TrainingError
from suite.method import Method, Run, Scores
from suite.spec.base import content_hash
from suite.tasks import Task
from suite.tasks.data import TaskData
from suite.train.budget import budgeted
from suite.train.derived import Derived
from suite.train.evaluation import Evaluation
from suite.train.selection import Point, Selector
from suite.train.storage.curves import Curves


@dataclass(frozen=True)
class Settings:
    """How to train, apart from what the method says; only seed, epochs and precision touch the result.

    ``checkpoint``: where to save and from where to resume (None: neither). ``cache``: folder for derived arrays.
    """

    seed: int = 0
    epochs: int | None = None
    precision: str = "float32"
    device: str = "cpu"
    checkpoint: Path | None = None
    checkpoint_seconds: float = 30.0
    cache: Path | None = None


@dataclass(frozen=True)
class Trained:
    """What a training leaves; ``complete`` is False when the reporter stopped it early.

    ``points`` by selection, ``curves`` as rows, the ``network`` with its last weights; raw ``scores`` by split of the
    last point, ``selected`` of the one that validation chose.
    """

    points: dict[str, Point]
    curves: list[dict[str, Any]]
    network: nn.Module
    scores: dict[str, Scores]
    selected: dict[str, Scores]
    complete: bool

    @property
    def parameters(self) -> int:
        """The number of weights."""
        return sum(parameter.numel() for parameter in self.network.parameters())


class Training:
    """A training of ``method`` on ``data``; its stepper makes and moves the network, the loop counts and evaluates.

    ``error``: why it ended before its last phase, if it did.
    """

    def __init__(self, method: Method, data: TaskData[Any], task: Task, settings: Settings) -> None:
        self.method, self.data, self.settings = method, data, settings
        self.phases = budgeted(method.phases(data), settings.epochs)
        self.curves = Curves()
        self.evaluation = Evaluation(method, data, task, self.curves, Selector(task, method.chosen_by()))
        features = data.facts.get("features_of", "")  # features that a reader changed on opening are others
        derived = Derived(settings.cache, content_hash(data.fingerprint, features) if features else data.fingerprint)
        device = torch.device(settings.device)
        self.run = Run(data, nn.Identity(), settings.seed, device, self.curves.note, derived.cached)
        self.error: TrainingError | None = None

    def fresh_network(self) -> nn.Module:
        """New weights, drawn with the seed of the current phase."""
        torch.manual_seed(seed_of(self.settings.seed, self.run.phase_index))
        return self.method.network(self.data).to(self.run.device)

    def place(self, index: int) -> None:
        """Go to the start of phase ``index``."""
        self.run.phase, self.run.phase_index = self.phases[index], index
        self.run.epoch = self.run.step = 0

    def generator(self, epoch: int) -> np.random.Generator:
        """The source of the batches of ``epoch`` in the current phase."""
        # By the parts and not by their sum: epoch 1 of seed 0 and epoch 0 of seed 1 must not draw the same batches.
        return np.random.default_rng([self.settings.seed, self.run.phase_index, epoch])

    def note_loss(self, name: str, values: Tensor, mean: float) -> None:
        """Add the epoch's ``mean`` of a loss part to the curves; unless it is finite, the training ends in an error.

        ``values`` (steps,) are this worker's, ``mean`` is that of all workers.
        """
        if math.isfinite(mean):
            self.curves.add(self.run, "train", name, mean)
        elif self.error is None:
            wrong = (~torch.isfinite(values)).nonzero()
            found, batch = (float(values[wrong[0]]), f", batch {int(wrong[0]) + 1}") if len(wrong) else (mean, "")
            place = f"phase '{self.run.phase.name}', epoch {self.run.epoch + 1}{batch}"
            self.error = TrainingError(
                f"{self.method.name} on {self.data.name}: the loss '{name}' is {found:g} in {place}; "
                "lower the learning rate or look at the features."
            )

    def trained(self, complete: bool = True) -> Trained:
        """What the training leaves."""
        seen = self.evaluation
        return Trained(seen.selector.points, self.curves.points, self.run.network, seen.scores, seen.selected, complete)


def seed_of(*parts: int) -> int:
    """A seed for torch that differs for every combination of ``parts``."""
    # Shifted to 63 bits: torch takes seeds as signed integers of 64.
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1)
