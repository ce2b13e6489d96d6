"""Class scores of clips against the sets of classes that hold for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.evaluate import multilabel
from suite.tasks.base import Metric
from suite.tasks.data import TaskData
from suite.tasks.recognition.samples import Clips, ClipScores

HALF = 0.5


def evaluate(predictions: ClipScores, samples: Clips, data: TaskData[Any]) -> list[Metric]:
    """Score ``predictions`` against the label sets that ``samples`` shows.

    Rank metrics use logits. Set metrics (IoU, F1; example-based) take the classes whose probability reaches 0.5 and, as
    rows called ``calibrated``, the threshold that the method's loss calls for. A split that shows one label per clip
    (validation) is scored against that label: top-1 and top-set are then plain accuracy. Where some labels are unknown,
    all metrics are those of the known ones, and rows ``known`` count these for each class.
    """
    logits = np.asarray(predictions.logits, dtype=np.float64)
    scored = Scored(logits, multilabel.probabilities(logits), np.asarray(samples.truth), samples.known)
    found = [
        Metric("top-set", multilabel.top_set_accuracy(logits, scored.truth, scored.known)),
        Metric("top-1", multilabel.top1_accuracy(logits, scored.truth, scored.known)),
        Metric("mAP", multilabel.mean_average_precision(logits, scored.truth, known=scored.known)),
        Metric("IoU", scored.iou(HALF), threshold=HALF),
        Metric("F1", scored.f1(HALF), threshold=HALF),
        Metric("IoU calibrated", scored.iou(predictions.threshold)),
        Metric("F1 calibrated", scored.f1(predictions.threshold)),
    ]
    for group, classes in data.facts.get("groups", {}).items():
        found += _group(group, np.asarray(classes, dtype=np.int64), scored)
    return found + _per_class(scored, data.classes)


@dataclass(frozen=True)
class Scored:
    """Clips with their scores: ``logits``, ``probability``, ``truth`` and, where not all is, ``known``, all (N, C)."""

    logits: np.ndarray
    probability: np.ndarray
    truth: np.ndarray
    known: np.ndarray | None

    def iou(self, threshold: float) -> float:
        """Example-based IoU of the classes whose probability reaches ``threshold``."""
        return multilabel.iou_accuracy(self.probability, self.truth, threshold, self.known)

    def f1(self, threshold: float) -> float:
        """Example-based F1 of the classes whose probability reaches ``threshold``."""
        return multilabel.f1_measure(self.probability, self.truth, threshold, self.known)


def _per_class(scored: Scored, names: Sequence[str]) -> list[Metric]:
    """AP of the classes that occur; where labels are unknown, in how many clips each class is known."""
    areas = multilabel.average_precision(scored.logits, scored.truth, known=scored.known)
    found = [Metric("AP", float(area), name) for name, area in zip(names, areas, strict=True) if area >= 0]
    if scored.known is None:
        return found
    return found + [Metric("known", float(n), name) for name, n in zip(names, scored.known.sum(axis=0), strict=True)]


def _group(name: str, classes: np.ndarray, scored: Scored) -> list[Metric]:
    """Metrics of a group of classes (head, tail); those for which no clip qualifies are left out."""
    half = (scored.probability, scored.truth, classes, HALF, scored.known)
    rows = [
        Metric(f"top-1 {name}", multilabel.grouped_top1(scored.logits, scored.truth, classes, scored.known)),
        Metric(f"IoU {name}", multilabel.grouped_iou(*half), threshold=HALF),
        Metric(f"F1 {name}", multilabel.grouped_f1(*half), threshold=HALF),
    ]
    return [row for row in rows if np.isfinite(row.value)]
