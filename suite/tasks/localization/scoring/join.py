"""Segments of a file joined with the truth's videos and classes; what does not fit is counted, never hidden."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from suite.evaluate.segments import Segments, index_names
from suite.tasks.localization.scoring.forms import SegmentRows
from suite.tasks.localization.scoring.truth import SegmentTruth
from suite.tasks.scoring.joining import class_places, label_codes, like_frames, numbered, repeated
from suite.tasks.scoring.report import Oddity
from suite.tasks.scoring.scale import infinite

ROUNDING = 1.0
"""Seconds by which a video may be longer than it is said to be: ActivityNet has segments that end 0.9 s later."""


def join_segments(
    rows: SegmentRows, truth: SegmentTruth, left_out: Collection[str] = ()
) -> tuple[Segments, list[Oddity]]:
    """Segments that index the truth's videos and classes; videos unknown to it get numbers behind those.

    As in the field's evaluators a detection in an unknown video counts as a false positive, and one of an unknown class
    not at all; rows in ``left_out`` videos (which the protocol leaves out) are dropped.
    """
    left_out = {*left_out, *truth.left_out}
    different, number = numbered(rows.video)
    names = _known_names(different, {*truth.videos, *left_out, *truth.elsewhere})
    # Unknown videos are numbered by name: the order of the rows must not decide anything. Left-out ones come last.
    strange = sorted(set(names) - set(truth.videos), key=lambda name: (name in left_out, name))
    video = index_names(names, [*truth.videos, *strange])[0][number]
    label = class_places(rows.label, truth.classes, truth.numbers)
    dropped = np.array([name in left_out for name in names], dtype=bool)[number]
    elsewhere = np.array([name in truth.elsewhere for name in names], dtype=bool)[number] & ~dropped
    unknown = (video >= len(truth.videos)) & ~dropped & ~elsewhere
    nameless = (label < 0) & ~dropped
    numbers = (rows.start, rows.end, rows.score)
    missing, endless = np.any([np.isnan(column) for column in numbers], axis=0), infinite(*numbers)
    broken = missing | endless
    columns = (video, label_codes(rows.label, label), *numbers)
    seconds = np.array([truth.seconds.get(name, np.nan) for name in names], dtype=np.float64)[number]
    frames = like_frames(rows.end, np.where(np.isnan(seconds), _last_annotated(truth, video), seconds))
    late = (rows.start > seconds + ROUNDING) & ~broken & ~frames
    named = _Named(rows)
    oddities = [
        Oddity.of("unknown video", unknown, "counted as false positives", rows.video),
        Oddity.of("video of another subset", elsewhere, "counted as false positives", rows.video),
        Oddity.of("unknown label", nameless, "ignored", rows.label),
        Oddity.of("time or score that is not a number", missing, "dropped", named),
        Oddity.of("time or score that is infinite", endless & ~missing, "dropped", named),
        Oddity.of("segment that ends before it starts", (rows.end < rows.start) & ~broken, "can match nothing", named),
        Oddity.of("segment without length", (rows.end == rows.start) & ~broken, "can match nothing", named),
        Oddity.of("segment that starts before 0", (rows.start < 0) & ~broken, "kept as it is", named),
        Oddity.of("segment that starts after the end of its video", late, "can match nothing", named),
        Oddity.of("time far beyond the end of its video, a frame number instead of seconds", frames, "kept", named),
        Oddity.of("duplicate row", repeated(columns), "kept: a second match is a false positive", named),
    ]
    keep = ~(broken | dropped | nameless)
    return Segments(*(column[keep] for column in columns)), [one for one in oddities if one.count]


@dataclass(frozen=True)
class _Named:
    """How each row is called in a message."""

    rows: SegmentRows

    def __getitem__(self, place: int) -> str:
        return f"{self.rows.video[place]} [{self.rows.start[place]:g}, {self.rows.end[place]:g}]"


def _last_annotated(truth: SegmentTruth, video: np.ndarray) -> np.ndarray:
    """(N,) end of the last annotation in the video of each row; NaN where there is none."""
    last = np.full(max(len(truth.videos), int(video.max(initial=-1)) + 1), -np.inf)
    np.maximum.at(last, truth.segments.video, truth.segments.end)
    return np.asarray(np.where(last[video] > 0, last[video], np.nan))


def _known_names(names: Sequence[str], known: Collection[str]) -> list[str]:
    """The names as the truth writes them: ActivityNet's results leave out the ``v_`` that its annotations may have."""
    return [next((way for way in (n, f"v_{n}", n.removeprefix("v_")) if way in known), n) for n in names]
