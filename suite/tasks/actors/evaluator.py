"""Class scores of people's boxes against annotated boxes, by frame mAP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from suite.errors import UsageError, did_you_mean
from suite.evaluate.protocols import AVA, SpatialProtocol, spatial_protocol
from suite.evaluate.spatial import SpatialResult
from suite.tasks.actors.precision import frame_precision
from suite.tasks.actors.samples import Actors, ActorScores
from suite.tasks.base import Metric
from suite.tasks.data import TaskData


def protocol_of(settings: Mapping[str, Any]) -> SpatialProtocol:
    """The evaluation switches that a dataset's protocol names: ``spatial``, a named one, with its fields overridden.

    Raises :class:`UsageError` for a switch that no protocol has; keys that are the reader's own stand under ``reader``.
    """
    given = {name: value for name, value in settings.items() if name not in ("spatial", "reader")}
    base = spatial_protocol(str(settings["spatial"])) if "spatial" in settings else AVA
    known = {field.name for field in fields(SpatialProtocol)}
    for name in given:
        if name not in known:
            raise UsageError(f"the protocol's '{name}' is no switch of frame mAP{did_you_mean(name, known)}")
    return replace(base, **given)


def evaluate(predictions: ActorScores, samples: Actors, data: TaskData[Any]) -> list[Metric]:
    """Frame mAP at the protocol's IoU, its mean over frequent and over rare classes, and AP of each class.

    Every score of every box is a detection; boxes without any (a clip that does not decode) are counted. If the dataset
    states its pictures' size (``facts["pixels"]``), boxes are compared in whole pixels.
    """
    result = actor_map(predictions, samples, data)
    found = [Metric("mAP", result.mean_ap)]
    place = {int(label): index for index, label in enumerate(result.classes)}
    for group, classes in data.facts.get("groups", {}).items():
        values = result.ap[[place[c] for c in classes if c in place]]
        if np.isfinite(values).any():
            found.append(Metric(f"mAP {group}", float(np.nanmean(values))))
    silent = int((np.asarray(predictions.scores) == 0).all(axis=1).sum())
    if silent:
        found.append(Metric("boxes without score", float(silent)))
    rows = zip(result.classes, result.ap, strict=True)
    return found + [Metric("AP", float(value), data.classes[label]) for label, value in rows if np.isfinite(value)]


def actor_map(predictions: ActorScores, samples: Actors, data: TaskData[Any]) -> SpatialResult:
    """Frame mAP with all that it rests on; a bootstrap draws videos."""
    protocol = protocol_of(data.facts.get("protocol", {}))
    return frame_precision(samples, predictions.scores, protocol, data.facts.get("pixels"))
