"""Which evaluation point counts: chosen on validation data, the last one, and the best on test data (an oracle).

All three are kept, so that reports can show how far honest and oracle selection are apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from suite.tasks import Metric, Task
from suite.tasks.base import value_of

SELECTIONS = ("validation", "last", "oracle")
EVALUATED = ("validation", "test")


@dataclass(frozen=True)
class Judged:
    """Predictions for the validation and the test split, and their metrics."""

    metrics: Mapping[str, list[Metric]]
    predictions: Mapping[str, Any]


@dataclass(frozen=True)
class Point(Judged):
    """What a network predicted at one evaluation point of its training."""

    phase: str
    epoch: int
    step: int


@dataclass
class Selector:
    """Keeps the three selected points; earlier points win ties.

    On validation data the metric ``by`` decides (empty: the task's choice), on test data the headline.
    """

    task: Task
    by: str = ""
    points: dict[str, Point] = field(default_factory=dict)

    def offer(self, point: Point) -> None:
        """Take ``point`` where it is the last, the best on validation or the best on test data."""
        self.points["last"] = point
        for selection, split in (("validation", "validation"), ("oracle", "test")):
            kept = self.points.get(selection)
            if kept is None or self._value(point, split) > self._value(kept, split):
                self.points[selection] = point

    @property
    def metric(self) -> str:
        """The metric that chooses on validation data."""
        return self.by or self.task.chosen_by

    def _value(self, point: Point, split: str) -> float:
        value = value_of(point.metrics[split], self.metric if split == "validation" else self.task.headline)
        # A point without a value is worse than any other, yet the first point is always kept: no run ends without
        # one.
        return value if np.isfinite(value) else -np.inf

    def tensors(self) -> dict[str, Tensor]:
        """The predictions of the kept points, for a checkpoint."""
        return {
            f"{name}/{split}/{column}": values
            for name, point in self.points.items()
            for split, predictions in point.predictions.items()
            for column, values in _columns(predictions).items()
        }

    def facts(self) -> dict[str, Any]:
        """The kept points without their predictions, as JSON."""
        return {name: self._facts(point) for name, point in self.points.items()}

    def _facts(self, point: Point) -> dict[str, Any]:
        return {
            "place": {"phase": point.phase, "epoch": point.epoch, "step": point.step},
            "metrics": {split: [asdict(m) for m in found] for split, found in point.metrics.items()},
        }

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Put back what :meth:`tensors` and :meth:`facts` gave."""
        for name, kept in facts.items():
            metrics = {split: [Metric(**m) for m in found] for split, found in kept["metrics"].items()}
            predictions = {split: self._predictions(f"{name}/{split}/", tensors) for split in metrics}
            self.points[name] = Point(metrics, predictions, **kept["place"])

    def _predictions(self, prefix: str, tensors: Mapping[str, Tensor]) -> Any:
        found = {name[len(prefix) :]: t.numpy() for name, t in tensors.items() if name.startswith(prefix)}
        return self.task.predictions(**{name: v.item() if v.ndim == 0 else v for name, v in found.items()})


def _columns(predictions: Any) -> dict[str, Tensor]:
    values = {f.name: getattr(predictions, f.name) for f in fields(predictions)}
    return {name: torch.from_numpy(np.array(value)) for name, value in values.items() if value is not None}
