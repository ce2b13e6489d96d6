"""Class scores of clips against the sets of classes that hold for them."""

from __future__ import annotations

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
    (validation) is scored against that label: top-1 and top-set are then plain accuracy.
    """
    logits = np.asarray(predictions.logits, dtype=np.float64)
    probability, truth = multilabel.probabilities(logits), np.asarray(samples.truth)
    found = [
        Metric("top-set", multilabel.top_set_accuracy(logits, truth)),
        Metric("top-1", multilabel.top1_accuracy(logits, truth)),
        Metric("mAP", multilabel.mean_average_precision(logits, truth)),
        Metric("IoU", multilabel.iou_accuracy(probability, truth, HALF), threshold=HALF),
        Metric("F1", multilabel.f1_measure(probability, truth, HALF), threshold=HALF),
        Metric("IoU calibrated", multilabel.iou_accuracy(probability, truth, predictions.threshold)),
        Metric("F1 calibrated", multilabel.f1_measure(probability, truth, predictions.threshold)),
    ]
    for group, classes in data.facts.get("groups", {}).items():
        found += _group(group, np.asarray(classes, dtype=np.int64), logits, probability, truth)
    areas = multilabel.average_precision(logits, truth)
    return found + [
        Metric("AP", float(area), name) for name, area in zip(data.classes, areas, strict=True) if area >= 0
    ]


def _group(
    name: str, classes: np.ndarray, logits: np.ndarray, probability: np.ndarray, truth: np.ndarray
) -> list[Metric]:
    """Metrics of a group of classes (head, tail); those for which no clip qualifies are left out."""
    rows = [
        Metric(f"top-1 {name}", multilabel.grouped_top1(logits, truth, classes)),
        Metric(f"IoU {name}", multilabel.grouped_iou(probability, truth, classes, HALF), threshold=HALF),
        Metric(f"F1 {name}", multilabel.grouped_f1(probability, truth, classes, HALF), threshold=HALF),
    ]
    return [row for row in rows if np.isfinite(row.value)]
