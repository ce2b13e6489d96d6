"""Files of scored segments, and what they score."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import UsageError
from suite.evaluate.protocols import TEMPORAL_PROTOCOLS, TemporalProtocol
from suite.evaluate.temporal import temporal_map
from suite.tasks.data import TaskData
from suite.tasks.localization.evaluator import protocol_of
from suite.tasks.localization.scoring.annotations import TEST, only_listed, truth_from_file, with_ambiguous
from suite.tasks.localization.scoring.forms import SegmentRows, read_segments
from suite.tasks.localization.scoring.join import join_segments
from suite.tasks.localization.scoring.truth import SegmentTruth, truth_of_data
from suite.tasks.scoring.files import Choice, PredictionFiles
from suite.tasks.scoring.report import Oddity, Report, Ties, class_rows, metric_row, with_intervals

if TYPE_CHECKING:
    from suite.spec.card import DatasetCard


class SegmentFiles(PredictionFiles):
    """Scored segments against annotated ones, by temporal mAP and recall."""

    kind = "segments"
    forms = ("ActivityNet JSON", "ActionFormer JSON or pickle", "THUMOS text (video start end class score)")
    protocols = TEMPORAL_PROTOCOLS
    read = staticmethod(read_segments)
    protocol_of = staticmethod(protocol_of)

    def truth_from_file(self, path: Path, choice: Choice) -> SegmentTruth:
        """ActivityNet's JSON."""
        if path.suffix != ".json":
            raise self.not_the_truth(path)
        return truth_from_file(path, choice)

    def truth_from_card(self, card: DatasetCard, folder: Path, choice: Choice) -> SegmentTruth | None:
        """The first JSON file that the card names and that is there.

        The card's options ``test_subsets`` and ``subset_list`` say which videos are the test, and which csv says so.
        """
        names = [file.path for file in card.files if file.path.endswith(".json") and not file.optional]
        path = next((folder / name for name in names if "*" not in name and (folder / name).is_file()), None)
        if path is None:
            return None
        lists = card.options.get("subset_list")
        own = tuple(card.options.get("test_subsets", TEST))
        return truth_from_file(path, choice, own, None if lists is None else folder / str(lists))

    def truth_from_data(self, data: TaskData[Any], choice: Choice) -> SegmentTruth:
        """The test annotations of a loaded dataset."""
        if choice.subset:
            raise UsageError(f"{data.name} is scored on its test split; leave --subset out.")
        return with_ambiguous(only_listed(truth_of_data(data), choice), choice.ambiguous)

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
        known = videos[videos < len(truth.videos)]
        counts = {
            "predictions": len(rows.video),
            "counted": len(result.matches.row),
            "ground truths": result.num_truth,
            "videos": len(known),
            **({"videos expected": protocol.expected_videos} if protocol.expected_videos else {}),
            "videos without predictions": len(np.setdiff1d(known, found.video)),
        }
        oddities = [*truth.oddities, *_unexpected(len(known), protocol), *_unforgiven(truth, protocol), *oddities]
        names = [truth.classes[label] for label in result.classes]
        metrics = with_intervals(result.matches, "mAP", resamples) + recall
        classes = class_rows(result.matches, names)
        return Report(protocol.name, metrics, classes, oddities, counts, Ties.of(result.matches))


def _unexpected(videos: int, protocol: TemporalProtocol) -> list[Oddity]:
    """What there is to say where the truth has not the number of videos that the protocol expects."""
    if protocol.expected_videos in (0, videos):
        return []
    problem = f"video of the truth, where {protocol.name} expects {protocol.expected_videos}"
    return [Oddity(problem, videos, "not comparable with numbers of that protocol")]


def _unforgiven(truth: SegmentTruth, protocol: TemporalProtocol) -> list[Oddity]:
    """What there is to say where a protocol looks at ambiguous segments and the truth has none."""
    if protocol.ambiguous == "count" or len(truth.ambiguous):
        return []
    problem = f"truth without 'Ambiguous' segments, where {protocol.name} does not count detections near them"
    return [Oddity(problem, 1, "they count as false positives; give --ambiguous FILE")]
