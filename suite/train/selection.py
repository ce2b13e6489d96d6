"""Which evaluation point counts: chosen on validation data, the last one, and the best on test data (an oracle).

All three are kept so that the difference between honest and oracle selection can be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from suite.data.samples import ActorScores, ClipScores, Predictions
from suite.evaluate.segments import Segments
from suite.tasks import Metric, Task

SELECTIONS = ("validation", "last", "oracle")
EVALUATED = ("validation", "test")


@dataclass(frozen=True)
class Point:
    """One evaluation: metrics and predictions of the validation and the test split."""

    phase: str
    epoch: int
    step: int
    metrics: Mapping[str, list[Metric]]
    predictions: Mapping[str, Predictions]


@dataclass
class Selector:
    """Keeps the three selected points; earlier points win ties."""

    task: Task
    points: dict[str, Point] = field(default_factory=dict)

    def offer(self, point: Point) -> None:
        """Take ``point`` where it is the last, the best on validation or the best on test data."""
        self.points["last"] = point
        for selection, split in (("validation", "validation"), ("oracle", "test")):
            kept = self.points.get(selection)
            if kept is None or self._headline(point, split) > self._headline(kept, split):
                self.points[selection] = point

    def _headline(self, point: Point, split: str) -> float:
        value = self.task.headline_of(point.metrics[split])
        return value if np.isfinite(value) else -np.inf

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The kept points as tensors and JSON-able facts, for a checkpoint."""
        tensors: dict[str, Tensor] = {}
        facts: dict[str, Any] = {}
        for name, point in self.points.items():
            facts[name] = {"phase": point.phase, "epoch": point.epoch, "step": point.step}
            facts[name]["metrics"] = {split: [asdict(m) for m in found] for split, found in point.metrics.items()}
            facts[name]["kinds"] = {split: type(p).__name__ for split, p in point.predictions.items()}
            for split, predictions in point.predictions.items():
                tensors.update({f"{name}/{split}/{k}": v for k, v in _columns(predictions).items()})
        return tensors, facts

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Put back what :meth:`state` gave."""
        for name, kept in facts.items():
            metrics = {split: [Metric(**m) for m in found] for split, found in kept["metrics"].items()}
            predictions = {
                split: _predictions(kind, f"{name}/{split}/", tensors) for split, kind in kept["kinds"].items()
            }
            self.points[name] = Point(kept["phase"], kept["epoch"], kept["step"], metrics, predictions)


_KINDS: dict[str, type] = {kind.__name__: kind for kind in (ClipScores, ActorScores, Segments)}


def _columns(predictions: Predictions) -> dict[str, Tensor]:
    values = {f.name: getattr(predictions, f.name) for f in fields(predictions)}
    return {name: torch.from_numpy(np.array(value)) for name, value in values.items() if value is not None}


def _predictions(kind: str, prefix: str, tensors: Mapping[str, Tensor]) -> Predictions:
    found = {name[len(prefix) :]: t.numpy() for name, t in tensors.items() if name.startswith(prefix)}
    values = {name: value.item() if value.ndim == 0 else value for name, value in found.items()}
    predictions: Predictions = _KINDS[kind](**values)
    return predictions
