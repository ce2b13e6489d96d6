"""The tasks of temporal localization: one kind of prediction, learned from two kinds of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from suite.errors import DataError
from suite.evaluate.segments import Segments
from suite.tasks.annotators import averaged
from suite.tasks.base import Metric, Resampled, Task, Wanted
from suite.tasks.checks import column_per_class, known_labels, same_length
from suite.tasks.data import TaskData
from suite.tasks.localization.annotators import compared
from suite.tasks.localization.evaluator import evaluate, protocol_for, scored
from suite.tasks.localization.samples import Annotations, Videos
from suite.tasks.localization.scoring.files import SegmentFiles
from suite.tasks.localization.scoring.frame_files import FrameFiles
from suite.tasks.localization.scoring.quick import map_only
from suite.tasks.localization.splits import classes_alone, labels_of_some
from suite.tasks.localization.storage.rows import from_rows, to_rows


class LocalizationTask(Task):
    """Untrimmed videos, in which scored segments are predicted."""

    headline = "mAP"
    predicts = "scored segments"
    samples = Videos
    predictions = Segments
    features = "rows"
    planted = "planted-videos"
    noise = "segments"
    annotated = True
    files = (SegmentFiles(), FrameFiles())
    evaluate = staticmethod(evaluate)
    to_rows = staticmethod(to_rows)
    from_rows = staticmethod(from_rows)

    def guess(self, samples: Videos, classes: int) -> Segments:
        """The annotated segments, so that every metric has a value."""
        truth = samples.segments
        return Segments(truth.video, truth.label, truth.start, truth.end, np.ones(len(truth)))

    def check(self, samples: Videos, split: str, classes: int) -> None:
        """Snippets and segments agree with the videos and with the classes."""
        same_length(samples, split, ("labelled",))
        if int(samples.offsets[-1]) != len(samples.rows):
            total = int(samples.offsets[-1])
            raise DataError(f"{split} videos claim {total} snippets of {len(samples.rows)}; correct the reader.")
        known_labels(samples, split, samples.segments.video, samples.segments.label, classes)
        if (held := samples.annotations) is not None:
            known_labels(samples, split, held.segments.video, held.segments.label, classes)
            _check_annotations(held, samples, split)
        column_per_class(samples, split, ("video_labels",), classes)

    def item(self, samples: Videos, row: int) -> str:
        """The video of a snippet."""
        return str(samples.ids[int(np.searchsorted(samples.offsets, row, side="right")) - 1])

    def counts(self, samples: Videos) -> dict[str, int]:
        """Annotated segments and snippets."""
        return {"segments": len(samples.segments), "snippets": len(samples.rows)}

    def resampled(self, predictions: Segments, samples: Videos, data: TaskData[Any]) -> Resampled:
        """mAP over the protocol's tIoUs; a bootstrap draws videos."""
        matches = scored(predictions, samples, protocol_for(data)).matches
        return Resampled(matches.average_map, len(matches.units))

    def people(self, data: TaskData[Any]) -> Mapping[str, list[Metric]]:
        """Of segments that all have one score, as nobody ranks them."""
        return {name: averaged([self.evaluate(found, videos, data)]) for name, found, videos in compared(data)}

    def quick(
        self, predictions: Sequence[Segments], samples: Videos, data: TaskData[Any], wanted: Wanted
    ) -> np.ndarray | None:
        """mAP alone, at the wanted tIoUs alone."""
        return map_only(predictions, samples, protocol_for(data), wanted)


def _check_annotations(held: Annotations, samples: Videos, split: str) -> None:
    if len(held.seen) != len(samples) or len(held.annotator) != len(held.segments):
        raise DataError(f"{split} 'annotations' are of other videos or segments; correct the reader.")
    unseen = np.flatnonzero(~held.seen[held.segments.video, held.annotator])
    if len(unseen):
        video = samples.ids[held.segments.video[unseen[0]]]
        raise DataError(f"'{video}' ({split}) has segments of an annotator who has not seen it; correct the reader.")


class WeakLocalizationTask(LocalizationTask):
    """All training videos have their classes, and nothing else."""

    name = "weak-localization"
    title = "Weakly supervised temporal localization"
    learns_from = "video-level labels"
    withhold = staticmethod(classes_alone)


class SemiLocalizationTask(LocalizationTask):
    """Some of the training videos have segments."""

    name = "semi-localization"
    title = "Semi-supervised temporal localization"
    learns_from = "segments for some of the videos"
    withhold = staticmethod(labels_of_some)
