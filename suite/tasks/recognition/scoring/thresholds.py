"""IoU and F1 at many thresholds over the same logits, from one histogram per clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suite.evaluate import multilabel
from suite.tasks.base import Wanted
from suite.tasks.recognition.samples import Clips, ClipScores

BLOCK = 1 << 24  # cells of clips by thresholds at a time
CALIBRATED = {"IoU calibrated", "F1 calibrated"}


def by_threshold(predictions: Sequence[ClipScores], samples: Clips, wanted: Wanted) -> np.ndarray | None:
    """(predictions, wanted) metrics of predictions that differ in their thresholds only; None for all others."""
    if not {name for name, _ in wanted} <= CALIBRATED or len({id(one.logits) for one in predictions}) != 1:
        return None
    probability = multilabel.probabilities(np.asarray(predictions[0].logits, dtype=np.float64))
    thresholds = np.array([one.threshold for one in predictions], dtype=np.float64)
    steps, place = np.unique(thresholds, return_inverse=True)
    truth = np.asarray(samples.truth) > 0
    if samples.known is None:
        curves = threshold_curves(probability, truth, steps)
    else:
        counted = multilabel.has_value(truth, samples.known)
        probability = np.where(samples.known, probability, -1.0)  # below every threshold
        curves = threshold_curves(probability[counted], truth[counted], steps)
    return np.stack([curves[name][place.reshape(-1)] for name, _ in wanted], axis=1)


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
