"""Objectives of many predictions for the same samples, computing no metric that was not asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from suite.data.samples import Clips, ClipScores, TaskData, Videos
from suite.evaluate import multilabel
from suite.evaluate.segments import Segments
from suite.evaluate.temporal import temporal_map
from suite.spec.sweep import Objective
from suite.tasks import Task
from suite.tasks.localization import protocol_of

BLOCK = 1 << 24  # cells of clips by thresholds at a time
CALIBRATED = {"IoU calibrated", "F1 calibrated"}


def metric_values(
    predictions: Iterable[Any], samples: Any, data: TaskData[Any], task: Task, objectives: Sequence[Objective]
) -> np.ndarray:
    """(predictions, objectives): what the task's evaluator says, by a shorter way where there is one."""
    several = list(predictions)
    names = {objective.metric for objective in objectives}
    if isinstance(samples, Clips) and names <= CALIBRATED and len({id(p.logits) for p in several}) == 1:
        return _thresholds(several, samples, objectives)
    if isinstance(samples, Videos) and names == {"mAP"}:
        return np.array([_localized(one, samples, data, objectives) for one in several]).reshape(len(several), -1)
    rows = [_evaluated(one, samples, data, task, objectives) for one in several]
    return np.array(rows, dtype=np.float64).reshape(len(several), len(objectives))


def _evaluated(
    prediction: Any, samples: Any, data: TaskData[Any], task: Task, objectives: Sequence[Objective]
) -> list[float]:
    told = {(m.metric, m.threshold): m.value for m in task.evaluate(prediction, samples, data) if not m.label}
    return [told.get((objective.metric, objective.threshold), math.nan) for objective in objectives]


def _localized(
    prediction: Segments, samples: Videos, data: TaskData[Any], objectives: Sequence[Objective]
) -> list[float]:
    """mAP at the asked thresholds only, without recall and classes."""
    protocol = protocol_of(data.facts.get("protocol", {}))
    videos = [index for index, name in enumerate(samples.ids.tolist()) if name not in protocol.excluded_videos]
    segments = prediction if prediction.score is not None or len(prediction) else Segments.empty(scored=True)
    asked = [o.threshold for o in objectives]
    tious = [t for t in asked if t is not None]
    narrowed = protocol if None in asked else protocol.at(*tious)
    result = temporal_map(samples.segments, segments, narrowed, np.array(videos, dtype=np.int64))
    at = {round(float(t), 6): float(v) for t, v in zip(result.tiou, result.map_per_tiou)}
    return [result.average_map if t is None else at.get(round(t, 6), math.nan) for t in asked]


def _thresholds(predictions: Sequence[ClipScores], samples: Clips, objectives: Sequence[Objective]) -> np.ndarray:
    """IoU and F1 at many thresholds over the same logits, from one histogram a clip."""
    probability = multilabel.probabilities(np.asarray(predictions[0].logits, dtype=np.float64))
    thresholds = np.array([one.threshold for one in predictions], dtype=np.float64)
    steps, place = np.unique(thresholds, return_inverse=True)
    curves = threshold_curves(probability, np.asarray(samples.truth) > 0, steps)
    return np.stack([curves[objective.metric][place.reshape(-1)] for objective in objectives], axis=1)


def threshold_curves(probability: np.ndarray, truth: np.ndarray, steps: np.ndarray) -> dict[str, np.ndarray]:
    """Example-based IoU and F1 (K,) of probabilities (N, C) at each of the ascending thresholds ``steps`` (K,).

    A class is predicted where its probability reaches the threshold; the same as :func:`multilabel.iou_accuracy` and
    :func:`multilabel.f1_measure`, at the cost of one of them.
    """
    sums = {"IoU calibrated": np.zeros(len(steps)), "F1 calibrated": np.zeros(len(steps))}
    rows = max(1, BLOCK // (len(steps) + 1))
    for start in range(0, len(probability), rows):
        block, present = probability[start : start + rows], truth[start : start + rows]
        reached = np.searchsorted(steps, block, side="right")  # how many thresholds a probability reaches
        predicted = _reaching(reached, np.ones_like(present), len(steps))
        shared = _reaching(reached, present, len(steps))
        labels = present.sum(axis=1)[:, None]
        sums["IoU calibrated"] += (shared / np.maximum(predicted + labels - shared, 1)).sum(axis=0)
        sums["F1 calibrated"] += (2 * shared / np.maximum(predicted + labels, 1)).sum(axis=0)
    return {name: total / len(probability) for name, total in sums.items()}


def _reaching(reached: np.ndarray, counted: np.ndarray, count: int) -> np.ndarray:
    """(clips, thresholds) how many counted classes of a clip reach each threshold."""
    clips = np.arange(len(reached))[:, None] * (count + 1)
    cells = np.bincount((clips + reached)[counted], minlength=len(reached) * (count + 1))
    table = cells.reshape(len(reached), count + 1)
    return table[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
