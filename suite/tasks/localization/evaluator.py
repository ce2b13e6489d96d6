"""Scored segments against annotated ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from suite.evaluate.protocols import ACTIVITYNET, TemporalProtocol, temporal_protocol
from suite.evaluate.segments import Segments
from suite.evaluate.temporal import TemporalResult, temporal_map
from suite.tasks.base import Metric
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos
from suite.tasks.protocols import with_switches


def protocol_of(settings: Mapping[str, Any]) -> TemporalProtocol:
    """The switches of evaluation that a protocol of a dataset names: ``temporal``, with its fields overridden."""
    return with_switches(settings, "temporal", temporal_protocol, ACTIVITYNET, "temporal mAP")


def protocol_for(data: TaskData[Any]) -> TemporalProtocol:
    """The switches with which predictions for ``data`` are evaluated."""
    return protocol_of(data.facts.get("protocol", {}))


def counted_videos(samples: Videos, protocol: TemporalProtocol) -> np.ndarray:
    """Indices of the videos that the protocol does not exclude."""
    names = enumerate(samples.ids.tolist())
    return np.array([place for place, name in names if name not in protocol.excluded_videos], dtype=np.int64)


def scored(predictions: Segments, samples: Videos, protocol: TemporalProtocol) -> TemporalResult:
    """Average precision of ``predictions`` (``video`` indexes ``samples``); no prediction at all is a valid one."""
    if predictions.score is None and not len(predictions):
        predictions = Segments.empty(scored=True)
    return temporal_map(samples.segments, predictions, protocol, counted_videos(samples, protocol))


def evaluate(predictions: Segments, samples: Videos, data: TaskData[Any]) -> list[Metric]:
    """Score ``predictions`` under the dataset's protocol.

    ``mAP`` averages over the protocol's tIoUs; then mAP and recall at each tIoU, and AP per class, averaged and at each
    tIoU. Classes that the split's annotations lack have no row.
    """
    result = scored(predictions, samples, protocol_for(data))
    found = [Metric("mAP", result.average_map), *_class_rows(result.ap.mean(axis=0), result.classes, data)]
    for threshold, value, ap, recall in zip(result.tiou, result.map_per_tiou, result.ap, result.matches.recall()):
        tiou = round(float(threshold), 6)
        found += [Metric("mAP", float(value), threshold=tiou), Metric("recall", float(recall.mean()), threshold=tiou)]
        found += _class_rows(ap, result.classes, data, tiou)
    return found


def _class_rows(ap: np.ndarray, classes: np.ndarray, data: TaskData[Any], tiou: float | None = None) -> list[Metric]:
    return [Metric("AP", float(value), data.classes[label], tiou) for value, label in zip(ap, classes)]
