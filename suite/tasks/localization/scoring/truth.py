"""Annotated segments for scoring files made by others: annotations only, no features."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from suite.evaluate.segments import Segments
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos
from suite.tasks.scoring.report import Oddity


@dataclass(frozen=True)
class SegmentTruth:
    """Annotated segments: ``segments.video`` and ``.label`` index ``videos`` and ``classes``.

    ``ambiguous`` are segments of THUMOS's class of that name; ``numbers`` what a class is called where files use
    numbers (by default its place in ``classes``); ``left_out`` names videos that count neither way, ``elsewhere`` those
    of other subsets; ``seconds`` is how long a video is, where that is known; ``oddities`` what is odd in the truth.
    """

    videos: tuple[str, ...]
    classes: tuple[str, ...]
    segments: Segments
    ambiguous: Segments = field(default_factory=Segments.empty)
    numbers: Mapping[str, int] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()
    seconds: Mapping[str, float] = field(default_factory=dict)
    oddities: Sequence[Oddity] = ()


def truth_of_data(data: TaskData[Videos]) -> SegmentTruth:
    """The test annotations of a loaded dataset."""
    videos = tuple(data.test.ids.tolist())
    other = {str(name) for split in (data.train, data.validation) for name in split.ids}
    seconds = dict(zip(videos, np.asarray(data.test.duration, dtype=np.float64).tolist()))
    return SegmentTruth(
        videos, data.classes, data.test.segments, elsewhere=frozenset(other - set(videos)), seconds=seconds
    )


def only_videos(truth: SegmentTruth, names: Collection[str]) -> SegmentTruth:
    """The truth of the named videos alone, the others left out; classes that then have no segment stay known."""
    kept = [place for place, name in enumerate(truth.videos) if name in names]
    place = np.full(len(truth.videos), -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))

    def renumbered(segments: Segments) -> Segments:
        rows = segments.take(place[segments.video] >= 0)
        return replace(rows, video=place[rows.video])

    videos = tuple(truth.videos[number] for number in kept)
    left_out = truth.left_out | (set(truth.videos) - set(videos))
    segments, ambiguous = renumbered(truth.segments), renumbered(truth.ambiguous)
    return replace(truth, videos=videos, segments=segments, ambiguous=ambiguous, left_out=left_out)
