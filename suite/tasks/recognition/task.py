"""The task of single-positive multi-label recognition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from suite.tasks.annotators import averaged
from suite.tasks.base import Metric, Resampled, Task, Wanted
from suite.tasks.checks import column_per_class, known_labels, same_length
from suite.tasks.data import TaskData
from suite.tasks.recognition.annotators import compared
from suite.tasks.recognition.evaluator import EXPLAINED, ORACLE, RECALL, calibrated, evaluate
from suite.tasks.recognition.noise import training_labels
from suite.tasks.recognition.samples import Clips, ClipScores
from suite.tasks.recognition.scoring.files import LabelFiles
from suite.tasks.recognition.scoring.intervals import clip_intervals, top_set_resampled
from suite.tasks.recognition.scoring.thresholds import by_threshold
from suite.tasks.recognition.storage.rows import from_rows, to_rows
from suite.tasks.recognition.unknown import check_unknown, settle_unknown


class RecognitionTask(Task):
    """Clips with one annotated class each; sets of classes are predicted."""

    name = "recognition"
    title = "Single-positive multi-label recognition"
    headline = "top-set"
    selection = RECALL
    oracle_metrics = ORACLE
    explained = EXPLAINED
    learns_from = "one positive label per clip"
    predicts = "a label set per clip"
    samples = Clips
    predictions = ClipScores
    scale = "logits"
    files = (LabelFiles(),)
    planted = "planted-verbs"
    noise = "labels"
    annotated = True
    evaluate = staticmethod(evaluate)
    calibrated = staticmethod(calibrated)
    to_rows = staticmethod(to_rows)
    from_rows = staticmethod(from_rows)
    settle = staticmethod(settle_unknown)
    withhold = staticmethod(training_labels)

    def check(self, samples: Clips, split: str, classes: int) -> None:
        """Labels, truth and what is known of it agree with the clips and with the classes."""
        same_length(samples, split, ("features", "label", "truth"))
        known_labels(samples, split, np.arange(len(samples)), samples.label, classes)
        column_per_class(samples, split, ("truth",), classes)
        check_unknown(samples, split)

    def counts(self, samples: Clips) -> dict[str, int]:
        """Labels of the label sets that the split shows, and how many entries are unknown where some are."""
        unknown = {} if samples.known is None else {"unknown": int((~samples.known).sum())}
        return {"labels": int(samples.truth.sum()), **unknown}

    def people(self, data: TaskData[Any]) -> Mapping[str, list[Metric]]:
        """Of label sets in several orders, as nobody ranks classes."""
        return {
            name: averaged(self.evaluate(one, samples, data) for one in orders)
            for name, orders, samples in compared(data)
        }

    def quick(
        self, predictions: Sequence[ClipScores], samples: Clips, data: TaskData[Any], wanted: Wanted
    ) -> np.ndarray | None:
        """IoU and F1 at all thresholds of the method at once."""
        return by_threshold(predictions, samples, wanted)

    def intervals(
        self, metrics: list[dict[str, Any]], predictions: ClipScores, data: TaskData[Any], resamples: int
    ) -> list[dict[str, Any]]:
        """Of metrics that are means over clips."""
        return clip_intervals(metrics, predictions, data.test, resamples)

    def resampled(self, predictions: ClipScores, samples: Clips, data: TaskData[Any]) -> Resampled | None:
        """top-set; a bootstrap draws whatever splits are disjoint by (source videos, users)."""
        return top_set_resampled(predictions, samples)
