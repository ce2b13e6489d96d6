"""Evaluation points: score validation and test data, keep what the selections need, add to the curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import nn

from suite.method import Method, Run, Scores
from suite.tasks import Metric, Task
from suite.tasks.data import TaskData
from suite.train.selection import EVALUATED, Judged, Point, Selector
from suite.train.stopping import should_stop
from suite.train.storage.curves import Curves

Found = TypeVar("Found")


@dataclass
class Evaluation:
    """Evaluates ``method`` on ``data``; raw ``scores`` by split are the last point's, ``selected`` the chosen one's."""

    method: Method
    data: TaskData[Any]
    task: Task
    curves: Curves
    selector: Selector
    scores: dict[str, Scores] = field(default_factory=dict)
    selected: dict[str, Scores] = field(default_factory=dict)

    def evaluate(self, run: Run) -> None:
        """Take an evaluation point with the weights that the phase evaluates."""
        network = run.teacher if run.phase.evaluate == "average" and run.teacher is not None else run.network
        network.eval()
        self.scores = {}  # those of the point before, unless it was chosen: they can be gigabytes
        with torch.no_grad(), run.at_a_point():
            self.scores = of_each(lambda split: self.method.score(network, self.data.split(split), run), self.data)
            judged = judge(self.method, self.task, self.data, self.scores)
            self._analyse(network, run)
        self._draw(run, judged.metrics)
        if run.phase.select:
            point = Point(judged.metrics, judged.predictions, run.phase.name, run.epoch + 1, run.step)
            self.selector.offer(point)
            # Raw scores are large: only those of the point that validation chose and of the last one are kept.
            if self.selector.points["validation"] is point:
                self.selected = self.scores

    def stops(self, run: Run) -> bool:
        """Whether the stopping rule of the phase ends it here, by its evaluation points on validation data."""
        rule = run.phase.stopping
        return rule is not None and should_stop(rule, self._history(run))

    def _history(self, run: Run) -> dict[str, list[float]]:
        """Each validation metric's values in the current phase, in order; those of the headline and of the
        metric that chooses epochs also as ``headline`` and ``selection``.
        """
        found: dict[str, list[float]] = {}
        # Values of earlier phases say nothing here: those minimized other losses, or trained other parts.
        for point in self.curves.points:
            if point["split"] == "validation" and point["phase_index"] == run.phase_index:
                found.setdefault(point["metric"], []).append(point["value"])
        chosen_by = found.get(self.selector.metric, [])
        return {**found, "headline": found.get(self.task.headline, []), "selection": chosen_by}

    def _analyse(self, network: nn.Module, run: Run) -> None:
        loss = self.method.validation_loss(network, self.data.validation, run)
        if loss is not None:
            self.curves.add(run, "validation", "loss", loss)
        for name, value in self.method.analyses(run).items():
            self.curves.note(name, value)
        self.curves.add_noted(run)

    def _draw(self, run: Run, metrics: Mapping[str, list[Metric]]) -> None:
        for split, found in metrics.items():
            for metric in found:
                # Curves hold averages; numbers by class and threshold are recorded for the selected points only.
                if not metric.label and metric.threshold is None:
                    self.curves.add(run, split, metric.metric, metric.value)


def judge(method: Method, task: Task, data: TaskData[Any], scores: Mapping[str, Scores]) -> Judged:
    """What ``method`` predicts from the raw scores of both evaluated splits, and its metrics."""
    decoded = of_each(lambda split: method.decode(scores[split], data.split(split)), data)
    predictions = task.calibrated(decoded, data)
    return Judged(of_each(lambda split: task.evaluate(predictions[split], data.split(split), data), data), predictions)


def of_each(act: Callable[[str], Found], data: TaskData[Any]) -> dict[str, Found]:
    """What ``act`` gives for each evaluated split; asked once, and shared, where they are the same samples."""
    if data.validates_on_test:
        return dict.fromkeys(EVALUATED, act("test"))
    return {split: act(split) for split in EVALUATED}
