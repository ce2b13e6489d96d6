"""Files of scored boxes, and what they score."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.evaluate.protocols import SPATIAL_PROTOCOLS, SpatialProtocol
from suite.evaluate.spatial import frame_map
from suite.tasks.actors.evaluator import protocol_of
from suite.tasks.actors.scoring.boxes import (
    BoxRows,
    BoxTruth,
    join_boxes,
    read_boxes,
    truth_from_file,
    truth_of_data,
)
from suite.tasks.data import TaskData
from suite.tasks.scoring.files import Choice, PredictionFiles
from suite.tasks.scoring.report import Report, Ties, class_rows, with_intervals

if TYPE_CHECKING:
    from suite.spec.card import DatasetCard


class BoxFiles(PredictionFiles):
    """Scored boxes against annotated ones, by frame mAP."""

    kind = "boxes"
    forms = ("AVA csv (video second x1 y1 x2 y2 action score)",)
    protocols = SPATIAL_PROTOCOLS
    read = staticmethod(read_boxes)
    protocol_of = staticmethod(protocol_of)

    def truth_from_file(self, path: Path, choice: Choice) -> BoxTruth:
        """AVA's csv, whose classes are called by their numbers."""
        if path.suffix == ".json":
            raise self.not_the_truth(path)
        choice.only_all(self.kind)
        return truth_from_file(path)

    def truth_from_card(self, card: DatasetCard, folder: Path, choice: Choice) -> BoxTruth | None:
        """The files that the card's options name: ``test``, ``label_map`` and, where it is there, ``test_excluded``."""
        choice.only_all(self.kind)
        options = card.options
        if not {"label_map", "test"} <= set(options) or not (folder / str(options["test"])).is_file():
            return None
        excluded = folder / str(options.get("test_excluded", ""))
        return truth_from_file(folder / options["test"], folder / options["label_map"], excluded)

    def truth_from_data(self, data: TaskData[Any], choice: Choice) -> BoxTruth:
        """The test annotations of a loaded dataset."""
        choice.only_all(self.kind)
        return truth_of_data(data)

    def score(self, rows: BoxRows, truth: BoxTruth, protocol: SpatialProtocol, resamples: int) -> Report:
        """Frame mAP; a bootstrap draws videos."""
        found, frames, oddities = join_boxes(rows, truth)
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
        classes = class_rows(result.matches, truth.classes)
        oddities = [*truth.oddities, *oddities]
        return Report(protocol.name, metrics, classes, oddities, counts, Ties.of(result.matches))
