"""Files of label sets and class scores of clips, and what they score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from suite.evaluate import multilabel
from suite.evaluate.resampling import bootstrap
from suite.evaluate.segments import Floats
from suite.tasks.data import TaskData
from suite.tasks.recognition.evaluator import HALF
from suite.tasks.recognition.samples import Clips
from suite.tasks.recognition.scoring.label_sets import (
    LabelRows,
    LabelTruth,
    join_labels,
    label_truth,
    read_label_rows,
)
from suite.tasks.scoring.files import Choice, PredictionFiles
from suite.tasks.scoring.report import Report, metric_row
from suite.tasks.scoring.scale import PROBABILITIES, converted


class LabelFiles(PredictionFiles):
    """Label sets of clips by example-based IoU and F1; scores of all classes also by their order."""

    kind = "label sets"
    forms = ("a csv of label sets (id,labels with a|b) or of probabilities (id and a column per class)",)
    scale = PROBABILITIES
    read = staticmethod(read_label_rows)

    def on_scale(self, rows: LabelRows, scores: str) -> LabelRows:
        """Probabilities, whatever was given."""
        if not rows.scored or scores not in ("logits", PROBABILITIES):
            return rows
        return replace(rows, score=converted(rows.score, scores, PROBABILITIES))

    def truth_from_file(self, path: Path, choice: Choice) -> LabelTruth:
        """A csv of label sets."""
        if path.suffix != ".csv":
            raise self.not_the_truth(path)
        choice.only_all(self.kind)
        return label_truth(path)

    def truth_from_data(self, data: TaskData[Clips], choice: Choice) -> LabelTruth:
        """The label sets of the test split."""
        choice.only_all(self.kind)
        test = data.test
        truth, unit = np.asarray(test.truth) > 0, tuple(map(str, test.unit))
        groups = data.facts.get("groups", {})
        return LabelTruth(tuple(map(str, test.ids)), data.classes, truth, unit, groups, known=test.known)

    def protocol_of(self, settings: Mapping[str, Any]) -> str:
        """There is nothing to switch."""
        return "default"

    def score(self, rows: LabelRows, truth: LabelTruth, protocol: str, resamples: int) -> Report:
        """IoU and F1 of the classes whose score reaches 0.5 (of sets: those in the set), exact matches, and of class
        scores top-set, top-1 and mAP."""
        score, oddities = join_labels(rows, truth)
        beyond = ((0, 0), (0, score.shape[1] - truth.truth.shape[1]))  # labels that the truth does not have are wrong
        present = np.pad(truth.truth, beyond)
        known = None if truth.known is None else np.pad(truth.known, beyond, constant_values=True)
        right = (score >= HALF) == present if known is None else ((score >= HALF) == present) | ~known
        per_clip = {
            "IoU": multilabel.iou_per_clip(score, present, HALF, known),
            "F1": multilabel.f1_per_clip(score, present, HALF, known),
            "exact match": right.all(axis=1).astype(np.float64),
        }
        if rows.scored:
            shares = multilabel.top_set_shares(score, present, known)
            per_clip = {"top-set": shares, "top-1": multilabel.top1_hits(score, present, known), **per_clip}
        metrics = [_row(name, values, truth, resamples) for name, values in per_clip.items()]
        if rows.scored:
            metrics.insert(2, metric_row("mAP", None, multilabel.mean_average_precision(score, present, known=known)))
        counts = {
            "predictions": len(rows.item),
            "counted": len(set(rows.item) & set(truth.items)),
            "ground truths": int(truth.truth.sum()),
            "items": len(truth.items),
        }
        odd = [*truth.oddities, *oddities]
        return Report(protocol, metrics, _class_rows(score, truth, rows.scored), odd, counts)


def _row(name: str, values: np.ndarray, truth: LabelTruth, resamples: int) -> dict[str, Any]:
    """The mean over clips that have a value, with an interval that draws their units."""
    counted = ~np.isnan(values)  # a clip without a known label has no value
    values, units = values[counted], np.array(truth.unit, dtype=str)[counted]
    threshold = None if name in ("top-set", "top-1") else HALF
    row = metric_row(name, threshold, float(values.mean()) if len(values) else float("nan"))
    if not resamples or not len(values):
        return row
    unit = np.unique(units, return_inverse=True)[1].reshape(-1)
    sums, sizes = np.bincount(unit, values), np.bincount(unit)

    def mean(weights: Floats) -> Floats:
        return np.asarray((weights @ sums) / (weights @ sizes))

    found = bootstrap(mean, len(sums), resamples)
    return row | {"low": float(found.low), "high": float(found.high)}


def _class_rows(score: np.ndarray, truth: LabelTruth, scored: bool) -> list[dict[str, Any]]:
    """Clips with each class, clips for which it is predicted, precision and recall; AP where there are scores."""
    score = score[:, : len(truth.classes)]
    chosen, areas = score >= HALF, multilabel.average_precision(score, truth.truth, known=truth.known)
    if truth.known is not None:
        chosen &= truth.known
    rows = []
    for place, name in enumerate(truth.classes):
        there, found = int(truth.truth[:, place].sum()), int(chosen[:, place].sum())
        right = int((chosen[:, place] & truth.truth[:, place]).sum())
        shares = {"precision": right / max(1, found), "recall": right / max(1, there)}
        row = {"class": name, "ground truths": there, "predictions": found, **shares}
        row |= {} if truth.known is None else {"known": int(truth.known[:, place].sum())}
        rows.append(row | ({"AP": float(areas[place])} if scored else {}))
    return rows
