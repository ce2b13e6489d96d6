"""The tasks: what a prediction is worth. A task fixes its evaluator and its headline metric."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from suite.data.samples import TaskData
from suite.errors import UsageError, did_you_mean

MODULES = {
    "recognition": "suite.tasks.recognition",
    "weak-localization": "suite.tasks.localization",
    "semi-localization": "suite.tasks.localization",
    "actor-detection": "suite.tasks.actors",
}


@dataclass(frozen=True)
class Metric:
    """One number; ``label`` names a class in per-class rows, ``threshold`` is a tIoU or a probability."""

    metric: str
    value: float
    label: str = ""
    threshold: float | None = None


@dataclass(frozen=True)
class Task:
    """A task: its name, how tables print it, its headline metric (higher is better) and its evaluator.

    ``evaluate(predictions, samples, data)`` scores the predictions for a split; ``learns_from`` and ``predicts`` say in
    words what the task is.
    """

    name: str
    title: str
    headline: str
    learns_from: str
    predicts: str
    evaluate: Callable[[Any, Any, TaskData[Any]], list[Metric]]

    def headline_of(self, metrics: Sequence[Metric]) -> float:
        """The headline value among ``metrics`` (the row of that name without label or threshold)."""
        return next(m.value for m in metrics if m.metric == self.headline and not m.label and m.threshold is None)


def task(name: str) -> Task:
    """The task called ``name``; raises :class:`UsageError` with the nearest known name."""
    if name not in MODULES:
        raise UsageError(f"no task is called '{name}'{did_you_mean(name, MODULES)}")
    found: dict[str, Task] = importlib.import_module(MODULES[name]).TASKS
    return found[name]
