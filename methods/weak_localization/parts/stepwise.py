"""Methods whose recipes count optimizer steps, as most released codes of this family do."""

from __future__ import annotations

from collections.abc import Sequence

from methods.weak_localization.parts.base import WeakLocalization
from suite.method import Phase, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos


class Stepwise(WeakLocalization):
    """One phase of ``steps`` optimizer steps, or of ``epochs`` epochs where ``steps`` is 0."""

    steps: int = hyper(0, low=0, high=10_000_000, help="optimizer steps; 0: as many as the epochs have")

    def phases(self, data: TaskData[Videos]) -> Sequence[Phase]:
        every = self.evaluate_every if self.steps else min(self.evaluate_every, self.epochs)
        epochs = 0 if self.steps else self.epochs
        return [Phase(epochs=epochs, steps=self.steps, optimizer=self.optimizer(), evaluate_every=every)]
