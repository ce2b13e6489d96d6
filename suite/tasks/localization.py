"""Temporal localization, weakly or semi-supervised: scored segments against annotated ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from suite.data.samples import TaskData, Videos
from suite.errors import UsageError, did_you_mean
from suite.evaluate.protocols import ACTIVITYNET, TemporalProtocol, temporal_protocol
from suite.evaluate.segments import Segments
from suite.evaluate.temporal import temporal_map
from suite.tasks import Metric, Task


def protocol_of(settings: Mapping[str, Any]) -> TemporalProtocol:
    """The evaluation switches that a dataset's protocol names: ``temporal``, a named one, with its fields overridden.

    Raises :class:`UsageError` for a switch that no protocol has; keys that are the reader's own stand under ``reader``.
    """
    given = {name: value for name, value in settings.items() if name not in ("temporal", "reader")}
    base = temporal_protocol(str(settings["temporal"])) if "temporal" in settings else ACTIVITYNET
    known = {field.name for field in fields(TemporalProtocol)}
    for name in given:
        if name not in known:
            raise UsageError(f"the protocol's '{name}' is no switch of temporal mAP{did_you_mean(name, known)}")
    switches: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
    return replace(base, **switches)


def evaluate(predictions: Segments, samples: Videos, data: TaskData[Any]) -> list[Metric]:
    """Score ``predictions`` (``video`` indexes ``samples``) under the dataset's protocol.

    ``mAP`` averages over the protocol's tIoUs; then mAP and recall at each tIoU, and AP a class, averaged and at each
    tIoU. Classes that the split's annotations lack have no row.
    """
    protocol = protocol_of(data.facts.get("protocol", {}))
    videos = [index for index, name in enumerate(samples.ids.tolist()) if name not in protocol.excluded_videos]
    if predictions.score is None and not len(predictions):
        predictions = Segments.empty(scored=True)
    result = temporal_map(samples.segments, predictions, protocol, np.array(videos, dtype=np.int64))
    found = [Metric("mAP", result.average_map), *_class_rows(result.ap.mean(axis=0), result.classes, data)]
    for threshold, value, ap, recall in zip(result.tiou, result.map_per_tiou, result.ap, result.matches.recall()):
        tiou = round(float(threshold), 6)
        found += [Metric("mAP", float(value), threshold=tiou), Metric("recall", float(recall.mean()), threshold=tiou)]
        found += _class_rows(ap, result.classes, data, tiou)
    return found


def _class_rows(ap: np.ndarray, classes: np.ndarray, data: TaskData[Any], tiou: float | None = None) -> list[Metric]:
    return [Metric("AP", float(value), data.classes[label], tiou) for value, label in zip(ap, classes)]


TASKS = {
    "weak-localization": Task(
        name="weak-localization",
        title="Weakly supervised temporal localization",
        headline="mAP",
        learns_from="video-level labels",
        predicts="scored segments",
        evaluate=evaluate,
    ),
    "semi-localization": Task(
        name="semi-localization",
        title="Semi-supervised temporal localization",
        headline="mAP",
        learns_from="segments for some of the videos",
        predicts="scored segments",
        evaluate=evaluate,
    ),
}
