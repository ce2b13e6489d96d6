"""Predictions of a file joined with the truth's videos and classes; what does not fit is counted, never hidden."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from suite.evaluate.boxes import Boxes
from suite.evaluate.segments import Bools, Segments, index_names
from suite.scoring.predictions_files import BoxRows, SegmentRows
from suite.scoring.truth_files import BoxTruth, SegmentTruth


@dataclass(frozen=True)
class Finding:
    """Something odd about the rows of a file: what, how many, what was done with them, and one of them."""

    problem: str
    count: int
    treatment: str
    example: str = ""


def join_segments(
    rows: SegmentRows, truth: SegmentTruth, left_out: Collection[str] = ()
) -> tuple[Segments, list[Finding]]:
    """Segments that index the truth's videos and classes; videos unknown to it get numbers behind those.

    As in the field's evaluators a detection in an unknown video counts as a false positive, and one of an unknown class
    not at all; rows in ``left_out`` videos (which the protocol leaves out) are dropped.
    """
    left_out = {*left_out, *truth.left_out}
    names = _known_names(rows.video, {*truth.videos, *left_out})
    video = index_names(names, truth.videos, grow=True)[0]
    label = _class_places(rows.label, truth.classes, truth.numbers)
    dropped = np.array([name in left_out for name in names], dtype=bool)
    unknown = (video >= len(truth.videos)) & ~dropped
    nameless = (label < 0) & ~dropped
    broken = np.isnan(rows.score) | np.isnan(rows.start) | np.isnan(rows.end)
    columns = (video, _label_codes(rows.label, label), rows.start, rows.end, rows.score)
    named = [f"{name} [{a:g}, {b:g}]" for name, a, b in zip(rows.video, rows.start, rows.end)]
    findings = [
        _finding("unknown video", unknown, "counted as false positives", rows.video),
        _finding("unknown label", nameless, "ignored", rows.label),
        _finding("time or score that is not a number", broken, "dropped", named),
        _finding("segment that ends before it starts", rows.end < rows.start, "can match nothing", named),
        _finding("segment without length", rows.end == rows.start, "can match nothing", named),
        _finding("segment that starts before 0", rows.start < 0, "kept as it is", named),
        _finding("duplicate row", _repeated(columns), "kept: a second match is a false positive", named),
    ]
    keep = ~(broken | dropped | nameless)
    return Segments(*(column[keep] for column in columns)), [finding for finding in findings if finding.count]


def join_boxes(rows: BoxRows, truth: BoxTruth) -> tuple[Boxes, list[tuple[str, float]], list[Finding]]:
    """Boxes that index the truth's classes and frames, and the frames: the truth's, then those only predicted."""
    frames = list(truth.frames)
    place = {frame: number for number, frame in enumerate(frames)}
    moments = [(video, round(float(second), 6)) for video, second in zip(rows.video, rows.second)]
    for moment in moments:
        if moment not in place:
            place[moment] = len(frames)
            frames.append(moment)
    frame = np.array([place[moment] for moment in moments], dtype=np.int64)
    label = _class_places(rows.label, truth.classes, truth.numbers)
    videos = {video for video, _ in truth.frames}
    strange = np.array([video not in videos for video in rows.video], dtype=bool)
    excluded = np.array([moment in truth.excluded for moment in moments], dtype=bool)
    broken = np.isnan(rows.score) | np.isnan(rows.box).any(axis=1) | np.isnan(rows.second)
    empty = (rows.box[:, 2] <= rows.box[:, 0]) | (rows.box[:, 3] <= rows.box[:, 1])
    outside = ((rows.box < 0) | (rows.box > 1)).any(axis=1)
    named = [f"{video} at {second:g} s" for video, second in moments]
    empty_frame = ~strange & ~excluded & (frame >= len(truth.frames))
    columns = (frame, _label_codes(rows.label, label), *rows.box.T, rows.score)
    findings = [
        _finding("unknown video", strange, "counted as false positives", rows.video),
        _finding("frame without ground truth", empty_frame, "counted as the protocol says", named),
        _finding("unknown label", label < 0, "ignored", rows.label),
        _finding("number that is not one", broken, "dropped", named),
        _finding("box without area", empty & ~broken, "dropped as the protocol says", named),
        _finding("box outside the picture", outside & ~broken, "kept as it is", named),
        _finding("duplicate row", _repeated(columns), "kept: a second match is a false positive", named),
    ]
    keep = ~(broken | (label < 0) | excluded)
    boxes = Boxes(frame[keep], label[keep], rows.box[keep], rows.score[keep])
    return boxes, frames, [finding for finding in findings if finding.count]


def _known_names(names: Sequence[str], known: Collection[str]) -> list[str]:
    """The names as the truth writes them: ActivityNet's results leave out the ``v_`` that its annotations may have."""
    return [next((way for way in (n, f"v_{n}", n.removeprefix("v_")) if way in known), n) for n in names]


def _class_places(labels: Sequence[str], classes: Sequence[str], numbers: Mapping[str, int]) -> np.ndarray:
    """Place of each label in ``classes``, by name or else by number; -1 for one that is neither."""
    places = {name: place for place, name in enumerate(classes)}
    for place, name in enumerate(classes):
        places.setdefault(str(numbers.get(name, place)), place)
    return np.array([places.get(label, -1) for label in labels], dtype=np.int64)


def _label_codes(labels: Sequence[str], places: np.ndarray) -> np.ndarray:
    """One number a class, unknown ones (place -1) apart by what they are called."""
    if not len(labels):
        return places
    called = np.unique(np.array(labels, dtype=str), return_inverse=True)[1].reshape(-1)
    return np.where(places >= 0, places, -1 - called)


def _repeated(columns: Sequence[np.ndarray]) -> Bools:
    """(N,) rows that stand in the file before, in all columns."""
    table = np.column_stack([np.asarray(column, dtype=np.float64) for column in columns])
    again = np.ones(len(table), dtype=bool)
    if len(table):
        again[np.unique(table, axis=0, return_index=True)[1]] = False
    return again


def _finding(problem: str, mask: Bools, treatment: str, names: Sequence[str]) -> Finding:
    example = names[int(mask.argmax())] if mask.any() else ""
    return Finding(problem, int(mask.sum()), treatment, str(example))
