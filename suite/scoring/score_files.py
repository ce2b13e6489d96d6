"""Scoring a file of predictions against a truth: the numbers with their intervals, and what was odd in the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.data.samples import Actors, Clips, ClipScores, TaskData
from suite.errors import DataError
from suite.evaluate import multilabel
from suite.evaluate.protocols import SpatialProtocol, TemporalProtocol
from suite.evaluate.ranking import RankedMatches
from suite.evaluate.resampling import Statistic, bootstrap
from suite.evaluate.spatial import frame_map
from suite.evaluate.temporal import temporal_map
from suite.scoring.predictions_files import BoxRows, ScoreRows, SegmentRows
from suite.scoring.predictions_join import Finding, join_boxes, join_segments
from suite.scoring.truth_files import BoxTruth, SegmentTruth
from suite.tasks import task
from suite.tasks.actors import actor_map
from suite.tasks.storage.rows import predictions_from


@dataclass(frozen=True)
class Report:
    """What one file scored under ``protocol``.

    ``metrics`` rows have metric, threshold, value and, where videos were resampled, low and high; ``classes`` rows
    class, ground truths, found and AP; ``counts`` say how much was scored.
    """

    protocol: str
    metrics: list[dict[str, Any]]
    classes: list[dict[str, Any]]
    findings: Sequence[Finding]
    counts: Mapping[str, int]


def score_segments(rows: SegmentRows, truth: SegmentTruth, protocol: TemporalProtocol, resamples: int) -> Report:
    """Temporal mAP and recall. Detections in videos that the truth does not know are false positives."""
    left_out = set(protocol.excluded_videos)
    found, findings = join_segments(rows, truth, protocol.excluded_videos)
    dropped = [place for place, name in enumerate(truth.videos) if name in left_out]
    videos = np.setdiff1d(np.arange(max(len(truth.videos), int(found.video.max(initial=-1)) + 1)), dropped)
    result = temporal_map(truth.segments, found, protocol, videos, truth.ambiguous)
    recall = [_row("recall", level, value) for level, value in zip(result.tiou, result.matches.recall().mean(axis=1))]
    counts = {
        "predictions": len(rows.video),
        "counted": len(result.matches.row),
        "ground truths": result.num_truth,
        "videos": len(truth.videos) - len(dropped),
        "videos without predictions": len(videos[videos < len(truth.videos)]) - len(set(found.video) & set(videos)),
    }
    names = [truth.classes[label] for label in result.classes]
    metrics = with_intervals(result.matches, "mAP", resamples) + recall
    return Report(protocol.name, metrics, _classes(result.matches, names), findings, counts)


def score_boxes(rows: BoxRows, truth: BoxTruth, protocol: SpatialProtocol, resamples: int) -> Report:
    """Frame mAP; a bootstrap draws videos."""
    found, frames, findings = join_boxes(rows, truth)
    excluded = [place for place, frame in enumerate(frames) if frame in truth.excluded]
    unit = np.unique([video for video, _ in frames], return_inverse=True)[1]
    result = frame_map(truth.boxes, found, protocol, np.arange(len(truth.classes)), excluded, unit)
    counts = {
        "predictions": len(rows.video),
        "counted": len(result.matches.row),
        "ground truths": len(result.matches.truth_row),
        "frames": len(truth.frames),
        "videos": len({video for video, _ in truth.frames}),
    }
    metrics = with_intervals(result.matches, "mAP", resamples)[1:]
    return Report(protocol.name, metrics, _classes(result.matches, truth.classes), findings, counts)


def score_items(rows: ScoreRows, data: TaskData[Any], resamples: int) -> Report:
    """What the task reports for scores of clips or people, the ledger's form, with intervals where it is a mean.

    Raises:
        DataError: an item of the test split has no scores.
    """
    known, given = set(data.test.ids.tolist()), rows.table["item"].to_pylist()
    if missing := known - set(given):
        raise DataError(f"the file lacks {len(missing)} of {len(known)} items of {data.name}, e.g. {min(missing)}.")
    predictions: Any = predictions_from(rows.table, data.test)
    found = task(data.task).evaluate(predictions, data.test, data)
    metrics = [_row(row.metric, row.threshold, row.value) for row in found if not row.label]
    classes = [{"class": row.label, "AP": row.value} for row in found if row.label]
    if isinstance(data.test, Actors):
        metrics = with_intervals(actor_map(predictions, data.test, data).matches, "mAP", resamples)[1:] + metrics[1:]
    elif isinstance(data.test, Clips) and resamples:
        metrics = [row | _clip_interval(row, predictions, data.test, resamples) for row in metrics]
    counts = {"predictions": len(given), "counted": len(known)}
    strange = Finding("unknown item", len(set(given) - known), "ignored", str(next(iter(set(given) - known), "")))
    return Report(data.protocol, metrics, classes, [strange] if strange.count else [], counts)


def with_intervals(matches: RankedMatches, name: str, resamples: int) -> list[dict[str, Any]]:
    """The average over thresholds, then each threshold, with 95 % intervals (BCa over the units of the matches)."""
    thresholds = [None, *matches.thresholds.tolist()]

    def statistic(weights: np.ndarray) -> np.ndarray:
        levels = matches.mean_ap(weights)
        return np.concatenate([levels.mean(axis=1, keepdims=True), levels], axis=1)

    if not resamples or not len(matches.truth_row):
        values = statistic(np.ones((1, len(matches.units))))[0]
        return [_row(name, level, value) for level, value in zip(thresholds, values)]
    found = bootstrap(statistic, len(matches.units), resamples)
    ends = zip(thresholds, found.estimate, found.low, found.high)
    return [_row(name, level, value) | {"low": float(low), "high": float(high)} for level, value, low, high in ends]


def _clip_interval(row: Mapping[str, Any], scores: ClipScores, clips: Clips, resamples: int) -> dict[str, float]:
    """The interval of a metric that is a mean over clips, drawing their units; nothing for other metrics."""
    truth, logits = np.asarray(clips.truth), np.asarray(scores.logits, dtype=np.float64)
    probability = multilabel.probabilities(logits)
    threshold = scores.threshold if row["threshold"] is None else row["threshold"]
    per_clip: dict[str, Callable[[], np.ndarray]] = {
        "top-set": lambda: multilabel.top_set_shares(logits, truth),
        "top-1": lambda: multilabel.top1_hits(logits, truth),
        "IoU": lambda: multilabel.iou_per_clip(probability, truth, threshold),
        "F1": lambda: multilabel.f1_per_clip(probability, truth, threshold),
    }
    name = row["metric"].removesuffix(" calibrated")
    if name not in per_clip:
        return {}
    units, unit = np.unique(clips.unit, return_inverse=True)
    found = bootstrap(_mean_over(per_clip[name](), unit.reshape(-1)), len(units), resamples)
    return {"low": float(found.low), "high": float(found.high)}


def _mean_over(values: np.ndarray, unit: np.ndarray) -> Statistic:
    """The mean of a value a clip when whole units are drawn."""
    sums, sizes = np.bincount(unit, values), np.bincount(unit)
    return lambda weights: (weights @ sums) / (weights @ sizes)


def _classes(matches: RankedMatches, names: Sequence[str]) -> list[dict[str, Any]]:
    ap = matches.average_precision().mean(axis=0)
    rows = zip(names, matches.positives, np.diff(matches.offsets), ap)
    return [{"class": n, "ground truths": int(g), "predictions": int(p), "AP": float(v)} for n, g, p, v in rows]


def _row(metric: str, threshold: float | None, value: float) -> dict[str, Any]:
    level = None if threshold is None else round(float(threshold), 6)
    return {"metric": metric, "threshold": level, "value": float(value)}
