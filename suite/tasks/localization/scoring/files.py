"""Files of scored segments, and what they score."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from suite.evaluate.protocols import TEMPORAL_PROTOCOLS, TemporalProtocol
from suite.evaluate.temporal import temporal_map
from suite.tasks.localization.evaluator import protocol_of
from suite.tasks.localization.scoring.forms import SegmentRows, read_segments
from suite.tasks.localization.scoring.join import join_segments
from suite.tasks.localization.scoring.truth import (
    SegmentTruth,
    only_videos,
    truth_from_data,
    truth_from_file,
    video_names,
)
from suite.tasks.scoring.files import PredictionFiles
from suite.tasks.scoring.report import Report, class_rows, metric_row, with_intervals

if TYPE_CHECKING:
    from suite.spec.card import DatasetCard


class SegmentFiles(PredictionFiles):
    """Scored segments against annotated ones, by temporal mAP and recall."""

    kind = "segments"
    forms = ("ActivityNet JSON", "ActionFormer JSON", "THUMOS text (video start end class score)")
    protocols = TEMPORAL_PROTOCOLS
    read = staticmethod(read_segments)
    protocol_of = staticmethod(protocol_of)
    truth_from_data = staticmethod(truth_from_data)

    def truth_from_file(self, path: Path, subset: str) -> SegmentTruth:
        """ActivityNet's JSON."""
        if path.suffix != ".json":
            raise self.not_the_truth(path)
        return truth_from_file(path, subset)

    def truth_from_card(self, card: DatasetCard, folder: Path, subset: str) -> SegmentTruth | None:
        """The first JSON file that the card names and that is there."""
        paths = (folder / file.path for file in card.files if file.path.endswith(".json") and not file.is_pattern)
        return next((truth_from_file(path, subset) for path in paths if path.is_file()), None)

    def only(self, truth: SegmentTruth, path: Path, subset: str) -> SegmentTruth:
        """The videos that the list names for ``subset``."""
        return only_videos(truth, video_names(path, subset))

    def score(self, rows: SegmentRows, truth: SegmentTruth, protocol: TemporalProtocol, resamples: int) -> Report:
        """Temporal mAP and recall. Detections in videos that the truth does not know are false positives."""
        left_out = set(protocol.excluded_videos)
        found, oddities = join_segments(rows, truth, protocol.excluded_videos)
        dropped = [place for place, name in enumerate(truth.videos) if name in left_out]
        videos = np.setdiff1d(np.arange(max(len(truth.videos), int(found.video.max(initial=-1)) + 1)), dropped)
        result = temporal_map(truth.segments, found, protocol, videos, truth.ambiguous)
        recall = [
            metric_row("recall", level, value)
            for level, value in zip(result.tiou, result.matches.recall().mean(axis=1))
        ]
        counts = {
            "predictions": len(rows.video),
            "counted": len(result.matches.row),
            "ground truths": result.num_truth,
            "videos": len(truth.videos) - len(dropped),
            "videos without predictions": len(videos[videos < len(truth.videos)]) - len(set(found.video) & set(videos)),
        }
        names = [truth.classes[label] for label in result.classes]
        metrics = with_intervals(result.matches, "mAP", resamples) + recall
        return Report(protocol.name, metrics, class_rows(result.matches, names), oddities, counts)
