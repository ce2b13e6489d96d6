"""Class scores of people's boxes against annotated boxes, by frame mAP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from suite.evaluate.protocols import AVA, SpatialProtocol, spatial_protocol
from suite.evaluate.spatial import SpatialResult
from suite.tasks.actors.precision import frame_precision
from suite.tasks.actors.samples import Actors, ActorScores
from suite.tasks.base import Metric
from suite.tasks.data import TaskData
from suite.tasks.protocols import with_switches


def protocol_of(settings: Mapping[str, Any]) -> SpatialProtocol:
    """The switches of evaluation that a protocol of a dataset names: ``spatial``, with its fields overridden."""
    return with_switches(settings, "spatial", spatial_protocol, AVA, "frame mAP")


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
