"""Scored boxes of others and annotated ones, joined; what does not fit is counted, never hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from suite.evaluate.boxes import Boxes
from suite.tasks.actors.ava_files import label_map, read_annotations, read_exclusions
from suite.tasks.actors.samples import Actors
from suite.tasks.data import TaskData
from suite.tasks.scoring.contents import Contents, label_texts
from suite.tasks.scoring.joining import class_places, label_codes, like_frames, repeated
from suite.tasks.scoring.report import Oddity
from suite.tasks.scoring.scale import infinite
from suite.tasks.scoring.text import read_text


@dataclass(frozen=True)
class BoxRows:
    """N scored (box, label) pairs: ``second`` (N,) key-frame time, ``box`` (N, 4) x1 y1 x2 y2."""

    form: str
    video: tuple[str, ...]
    second: np.ndarray
    label: tuple[str, ...]
    box: np.ndarray
    score: np.ndarray


def read_boxes(contents: Contents) -> BoxRows | None:
    """The boxes of AVA's csv (video, second, x1, y1, x2, y2, action id, score), or None for a file of another form.

    Raises :class:`DataError` for a malformed row.
    """
    if contents.lines is None or len(contents.first) != 8 or contents.header:
        return None
    numbers, lines = contents.lines.numbers(), contents.lines
    labels = label_texts(lines.column(6))
    return BoxRows("AVA csv", lines.column(0), numbers[:, 0], labels, numbers[:, 1:5], numbers[:, 6])


@dataclass(frozen=True)
class BoxTruth:
    """Annotated boxes: ``boxes.frame`` indexes ``frames`` (video, second), ``boxes.label`` indexes ``classes``.

    ``excluded`` are frames that count neither way; ``numbers`` what a class is called where files use numbers;
    ``oddities`` what is odd in the truth.
    """

    frames: tuple[tuple[str, float], ...]
    classes: tuple[str, ...]
    boxes: Boxes
    numbers: Mapping[str, int]
    excluded: frozenset[tuple[str, float]] = frozenset()
    oddities: Sequence[Oddity] = ()


def truth_of_data(data: TaskData[Actors]) -> BoxTruth:
    """The test annotations of a loaded dataset."""
    samples = data.test
    row, label = np.nonzero(samples.truth_labels)
    frames = tuple(moment(*name.rsplit(",", 1)) for name in samples.clip_ids.tolist())
    ids = data.facts.get("class_ids", range(len(data.classes)))
    boxes = Boxes(samples.truth_clip[row], label, samples.truth_box[row])
    return BoxTruth(frames, data.classes, boxes, {name: int(number) for name, number in zip(data.classes, ids)})


def truth_from_file(path: Path, label_map_path: Path | None = None, excluded: Path | None = None) -> BoxTruth:
    """The boxes of AVA's csv, their classes named by a label map, without the frames of a file of exclusions.

    Raises :class:`DataError` naming the line of a malformed row.
    """
    names = label_map(label_map_path)[0] if label_map_path else {number: str(number) for number in range(1, 1000)}
    ids = sorted(names)
    table = read_annotations(path, ids)
    row, column = np.nonzero(table.labels)
    used = np.arange(len(ids)) if label_map_path else np.unique(column)
    frames = tuple(dict.fromkeys(moment(video, second) for video, second in zip(table.video, table.second)))
    place = {frame: number for number, frame in enumerate(frames)}
    of_row = np.array(
        [place[moment(video, second)] for video, second in zip(table.video, table.second)], dtype=np.int64
    )
    classes = tuple(names[ids[number]] for number in used)
    boxes = Boxes(of_row[row], np.searchsorted(used, column), table.box[row])
    left_out = read_exclusions(excluded) if excluded is not None and excluded.is_file() else set()
    return BoxTruth(
        frames,
        classes,
        boxes,
        {name: ids[number] for name, number in zip(classes, used)},
        frozenset(moment(video, second) for video, second in left_out),
        read_text(path)[1],
    )


def moment(video: Any, second: Any) -> tuple[str, float]:
    """A key frame, its second rounded so that equal moments written differently are equal."""
    return str(video), round(float(second), 6)


def join_boxes(rows: BoxRows, truth: BoxTruth) -> tuple[Boxes, list[tuple[str, float]], list[Oddity]]:
    """Boxes that index the truth's classes and frames, and the frames: the truth's, then those only predicted."""
    moments = [moment(video, second) for video, second in zip(rows.video, rows.second)]
    frames = [*truth.frames, *sorted(set(moments) - set(truth.frames))]
    place = {frame: number for number, frame in enumerate(frames)}
    frame = np.array([place[one] for one in moments], dtype=np.int64)
    label = class_places(rows.label, truth.classes, truth.numbers)
    videos = {video for video, _ in truth.frames}
    strange = np.array([video not in videos for video in rows.video], dtype=bool)
    excluded = np.array([one in truth.excluded for one in moments], dtype=bool)
    missing = np.isnan(rows.score) | np.isnan(rows.box).any(axis=1) | np.isnan(rows.second)
    endless = infinite(rows.score, rows.box, rows.second) & ~missing
    broken = missing | endless
    empty = (rows.box[:, 2] <= rows.box[:, 0]) | (rows.box[:, 3] <= rows.box[:, 1])
    outside = ((rows.box < 0) | (rows.box > 1)).any(axis=1)
    named = [f"{video} at {second:g} s" for video, second in moments]
    empty_frame = ~strange & ~excluded & (frame >= len(truth.frames))
    last = dict(sorted(truth.frames))
    late = like_frames(rows.second, np.array([last.get(video, np.nan) for video in rows.video], dtype=np.float64))
    columns = (frame, label_codes(rows.label, label), *rows.box.T, rows.score)
    oddities = [
        Oddity.of("unknown video", strange, "counted as false positives", rows.video),
        Oddity.of("frame without ground truth", empty_frame, "counted as the protocol says", named),
        Oddity.of("unknown label", label < 0, "ignored", rows.label),
        Oddity.of("number that is not one", missing, "dropped", named),
        Oddity.of("number that is infinite", endless, "dropped", named),
        Oddity.of("second far beyond the last annotated one, a frame number instead", late, "kept", named),
        Oddity.of("box without area", empty & ~broken, "dropped as the protocol says", named),
        Oddity.of("box outside the picture", outside & ~broken, "kept as it is", named),
        Oddity.of("duplicate row", repeated(columns), "kept: a second match is a false positive", named),
    ]
    keep = ~(broken | (label < 0) | excluded)
    boxes = Boxes(frame[keep], label[keep], rows.box[keep], rows.score[keep])
    return boxes, frames, [one for one in oddities if one.count]
