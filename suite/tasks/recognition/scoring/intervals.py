"""Intervals of the metrics that are means over clips, drawing their units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from suite.evaluate import multilabel
from suite.evaluate.resampling import Statistic, bootstrap
from suite.tasks.base import Resampled
from suite.tasks.recognition.samples import Clips, ClipScores


def clip_intervals(
    metrics: list[dict[str, Any]], scores: ClipScores, clips: Clips, resamples: int
) -> list[dict[str, Any]]:
    """``metrics`` with ``low`` and ``high`` where they are means over ``clips``."""
    return [row | _interval(row, scores, clips, resamples) for row in metrics] if resamples else metrics


def top_set_resampled(scores: ClipScores, clips: Clips) -> Resampled | None:
    """top-set as a statistic of its units; None where no clip has a known label."""
    logits, truth = np.asarray(scores.logits, dtype=np.float64), np.asarray(clips.truth)
    return _over_units(multilabel.top_set_shares(logits, truth, clips.known), clips)


def _over_units(values: np.ndarray, clips: Clips) -> Resampled | None:
    """The mean of one value per clip (N,), NaN where it has none, when whole units are drawn."""
    counted = ~np.isnan(values)  # clips without a known label have no value
    if not counted.any():
        return None
    units, unit = np.unique(clips.unit[counted], return_inverse=True)
    return Resampled(_mean_over(values[counted], unit.reshape(-1)), len(units))


def _interval(row: dict[str, Any], scores: ClipScores, clips: Clips, resamples: int) -> dict[str, float]:
    truth, logits = np.asarray(clips.truth), np.asarray(scores.logits, dtype=np.float64)
    name, _, kind = row["metric"].partition(" ")
    cut, threshold = _scale(scores, kind, row["threshold"])
    per_clip: dict[str, Callable[[], np.ndarray]] = {
        "top-set": lambda: multilabel.top_set_shares(logits, truth, clips.known),
        "top-1": lambda: multilabel.top1_hits(logits, truth, clips.known),
        "IoU": lambda: multilabel.iou_per_clip(cut, truth, threshold, clips.known),
        "F1": lambda: multilabel.f1_per_clip(cut, truth, threshold, clips.known),
    }
    # A threshold that was chosen on these clips would have to be chosen anew in each resample.
    if name not in per_clip or kind not in ("", "own threshold", "calibrated"):
        return {}
    drawn = _over_units(per_clip[name](), clips)
    if drawn is None:
        return {}
    found = bootstrap(drawn.statistic, drawn.units, resamples)
    return {"low": float(found.low), "high": float(found.high)}


def _scale(scores: ClipScores, kind: str, threshold: float | None) -> tuple[np.ndarray, float]:
    """Scores and the threshold on their scale, for a metric's ``kind``: what stands behind IoU and F1."""
    logits = np.asarray(scores.logits, dtype=np.float64)
    if kind == "calibrated":
        return logits, scores.calibrated
    return multilabel.probabilities(logits), scores.threshold if threshold is None else threshold


def _mean_over(values: np.ndarray, unit: np.ndarray) -> Statistic:
    """The mean of one value per clip when whole units are drawn."""
    sums, sizes = np.bincount(unit, values), np.bincount(unit)
    return lambda weights: (weights @ sums) / (weights @ sizes)
