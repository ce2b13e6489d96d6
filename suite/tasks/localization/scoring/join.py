"""Segments of a file joined with the truth's videos and classes; what does not fit is counted, never hidden."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from suite.evaluate.segments import Segments, index_names
from suite.tasks.localization.scoring.forms import SegmentRows
from suite.tasks.localization.scoring.truth import SegmentTruth
from suite.tasks.scoring.joining import class_places, label_codes, repeated
from suite.tasks.scoring.report import Oddity


def join_segments(
    rows: SegmentRows, truth: SegmentTruth, left_out: Collection[str] = ()
) -> tuple[Segments, list[Oddity]]:
    """Segments that index the truth's videos and classes; videos unknown to it get numbers behind those.

    As in the field's evaluators a detection in an unknown video counts as a false positive, and one of an unknown class
    not at all; rows in ``left_out`` videos (which the protocol leaves out) are dropped.
    """
    left_out = {*left_out, *truth.left_out}
    names = _known_names(rows.video, {*truth.videos, *left_out, *truth.elsewhere})
    # Unknown videos are numbered by name: the order of the rows must not decide anything. Left-out ones come last.
    strange = sorted(set(names) - set(truth.videos), key=lambda name: (name in left_out, name))
    video = index_names(names, [*truth.videos, *strange])[0]
    label = class_places(rows.label, truth.classes, truth.numbers)
    dropped = np.array([name in left_out for name in names], dtype=bool)
    elsewhere = np.array([name in truth.elsewhere for name in names], dtype=bool) & ~dropped
    unknown = (video >= len(truth.videos)) & ~dropped & ~elsewhere
    nameless = (label < 0) & ~dropped
    broken = np.isnan(rows.score) | np.isnan(rows.start) | np.isnan(rows.end)
    columns = (video, label_codes(rows.label, label), rows.start, rows.end, rows.score)
    named = [f"{name} [{a:g}, {b:g}]" for name, a, b in zip(rows.video, rows.start, rows.end)]
    oddities = [
        Oddity.of("unknown video", unknown, "counted as false positives", rows.video),
        Oddity.of("video of another subset", elsewhere, "counted as false positives", rows.video),
        Oddity.of("unknown label", nameless, "ignored", rows.label),
        Oddity.of("time or score that is not a number", broken, "dropped", named),
        Oddity.of("segment that ends before it starts", rows.end < rows.start, "can match nothing", named),
        Oddity.of("segment without length", rows.end == rows.start, "can match nothing", named),
        Oddity.of("segment that starts before 0", rows.start < 0, "kept as it is", named),
        Oddity.of("duplicate row", repeated(columns), "kept: a second match is a false positive", named),
    ]
    keep = ~(broken | dropped | nameless)
    return Segments(*(column[keep] for column in columns)), [one for one in oddities if one.count]


def _known_names(names: Sequence[str], known: Collection[str]) -> list[str]:
    """The names as the truth writes them: ActivityNet's results leave out the ``v_`` that its annotations may have."""
    return [next((way for way in (n, f"v_{n}", n.removeprefix("v_")) if way in known), n) for n in names]
