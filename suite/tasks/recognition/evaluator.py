"""Class scores of clips against the sets of classes that hold for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from suite.evaluate import multilabel
from suite.evaluate.segments import Floats
from suite.evaluate.thresholds import count_threshold, set_curve
from suite.tasks.base import Metric
from suite.tasks.data import TaskData
from suite.tasks.recognition.label_count import label_ranks, mean_label_count
from suite.tasks.recognition.samples import Clips, ClipScores

HALF = 0.5
RECALL = "recall at label count"
ORACLE = ("IoU oracle threshold", "F1 oracle threshold")
COUNTED = (
    "the threshold is the score from which predictions for validation data show the mean number of labels per clip "
    "that the dataset states, a statistic of complete label sets; no other label has a part in it"
)
BEST = "the best threshold for the test labels themselves: selection on test data, an upper bound and no result"
EXPLAINED = {
    **dict.fromkeys(("IoU calibrated", "F1 calibrated"), COUNTED),
    **dict.fromkeys(("IoU own threshold", "F1 own threshold"), "the threshold that the method's loss calls for"),
    **dict.fromkeys(ORACLE, BEST),
    RECALL: "share of a clip's labels among its k best classes, k the mean number of labels per clip, rounded up",
}


def calibrated(predictions: Mapping[str, ClipScores], data: TaskData[Any]) -> dict[str, ClipScores]:
    """``predictions`` by split with the logit from which those for validation show the dataset's mean label count.

    Labels have no part in it. Without predictions for validation, or where the dataset does not state the mean, all
    stay as they are.
    """
    count, own = mean_label_count(data), predictions.get("validation")
    if own is None or not np.isfinite(count) or not np.size(own.logits):
        return dict(predictions)
    threshold = count_threshold(own.logits, count)
    return {split: replace(scores, calibrated=threshold) for split, scores in predictions.items()}


def evaluate(predictions: ClipScores, samples: Clips, data: TaskData[Any]) -> list[Metric]:
    """Score ``predictions`` against the label sets that ``samples`` shows.

    Rank metrics use logits; ``recall at label count`` is the share of a clip's labels among its k best classes, k the
    mean number of labels per clip, rounded up. Set metrics (IoU, F1; example-based) take the classes whose probability
    reaches 0.5. In rows called ``own threshold`` it is what the method's loss calls for; ``calibrated``: from where
    validation predicts the mean number of labels (left out where the dataset does not state it); ``oracle threshold``:
    the best for these very labels, an upper bound.

    A split that shows one label per clip (validation) is scored against that label: top-1 and top-set are then plain
    accuracy. Where some labels are unknown, all metrics are those of the known ones, and rows ``known`` count these for
    each class.
    """
    logits = np.asarray(predictions.logits, dtype=np.float64)
    scored = Scored(logits, multilabel.probabilities(logits), np.asarray(samples.truth), samples.known)
    areas = multilabel.average_precision(logits, scored.truth, known=scored.known)
    found = [
        Metric("top-set", multilabel.top_set_accuracy(logits, scored.truth, scored.known)),
        Metric("top-1", multilabel.top1_accuracy(logits, scored.truth, scored.known)),
        Metric("mAP", multilabel.mean_area(areas)),
        Metric("IoU", scored.iou(HALF), threshold=HALF),
        Metric("F1", scored.f1(HALF), threshold=HALF),
        Metric(RECALL, multilabel.recall_at(logits, scored.truth, label_ranks(data), scored.known)),
        *_at_thresholds(predictions, scored),
    ]
    for group, classes in data.facts.get("groups", {}).items():
        found += _group(group, np.asarray(classes, dtype=np.int64), scored)
    return found + _per_class(areas, scored, data.classes)


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


def _at_thresholds(predictions: ClipScores, scored: Scored) -> list[Metric]:
    """IoU and F1 at the thresholds of the method, of validation, and (an oracle) of these labels themselves."""
    own, at = predictions.threshold, predictions.calibrated
    curve = set_curve(scored.logits, scored.truth, scored.known)
    found = [Metric("IoU own threshold", scored.iou(own)), Metric("F1 own threshold", scored.f1(own))]
    if np.isfinite(at):
        iou, f1 = curve.at([at])
        found += [Metric("IoU calibrated", float(iou[0])), Metric("F1 calibrated", float(f1[0]))]
    best = (float(values.max()) if len(values) else float("nan") for values in (curve.iou, curve.f1))
    return found + [Metric(name, value) for name, value in zip(ORACLE, best, strict=True)]


def _per_class(areas: Floats, scored: Scored, names: Sequence[str]) -> list[Metric]:
    """AP of the classes that occur, ``areas`` (C,); where labels are unknown, in how many clips each class is known."""
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
