"""Frame mAP of people's scores."""

from __future__ import annotations

import numpy as np

from suite.evaluate.boxes import Boxes
from suite.evaluate.protocols import AVA, SpatialProtocol
from suite.evaluate.spatial import SpatialResult, frame_map
from suite.tasks.actors.samples import Actors


def frame_precision(
    actors: Actors,
    scores: np.ndarray,
    protocol: SpatialProtocol = AVA,
    pixels: tuple[int, int] | None = None,
) -> SpatialResult:
    """Frame mAP of class scores (N, C) of all instances against the truth of their clips; its units are videos.

    Every score of every box is a detection, but for boxes that have no score above 0 in any class. With ``pixels``, the
    pictures' width and height, boxes are compared in whole pixels.
    """
    unit = np.unique(actors.clip_videos, return_inverse=True)[1]
    scale = np.ones(4) if pixels is None else np.tile(np.asarray(pixels, dtype=np.float64), 2)
    truth_box, box = (np.asarray(boxes, dtype=np.float64) * scale for boxes in (actors.truth_box, actors.box))
    if pixels is not None:
        truth_box, box = np.round(truth_box), np.round(box)
    row, label = np.nonzero(actors.truth_labels)
    truth = Boxes(actors.truth_clip[row], label, truth_box[row])
    shown, classes = np.flatnonzero((scores > 0).any(axis=1)), scores.shape[1]
    rows = np.repeat(shown, classes)
    found = Boxes(actors.clip[rows], np.tile(np.arange(classes), len(shown)), box[rows], scores[shown].reshape(-1))
    return frame_map(truth, found, protocol, unit_of_frame=unit)
