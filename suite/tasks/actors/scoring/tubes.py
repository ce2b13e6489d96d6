"""Tubes of boxes, or boxes to be linked into tubes, and annotated tubes, joined; what does not fit is counted.

Forms: JSON (``tubes``: video to a list of label, score, first frame, boxes on consecutive frames), and a csv of boxes
on frames (video, frame, x1, y1, x2, y2, class, score). The truth is the JSON without scores, or UCF101-24's annotation.
Frames count from 1, boxes are in the unit of the truth's (UCF101-24: pixels).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from suite.errors import DataError
from suite.evaluate.boxes import Boxes, Tubes
from suite.evaluate.linking import Linking, link_boxes
from suite.tasks.actors.scoring.boxes import BoxRows
from suite.tasks.actors.ucf_files import read_test_list, read_tubes
from suite.tasks.scoring.contents import label_text
from suite.tasks.scoring.joining import class_places, repeated
from suite.tasks.scoring.report import Oddity
from suite.tasks.scoring.scale import infinite
from suite.tasks.scoring.text import as_number, read_json


@dataclass(frozen=True)
class TubeRows:
    """N tubes: names of video and label, first frame (N,), boxes (M, 4) cut at ``offsets`` (N+1,), score (N,)."""

    form: str
    video: tuple[str, ...]
    label: tuple[str, ...]
    first: np.ndarray
    offsets: np.ndarray
    box: np.ndarray
    score: np.ndarray


@dataclass(frozen=True)
class TubeTruth:
    """Annotated tubes: ``tubes.video`` and ``.label`` index ``videos`` and ``classes``, which files call by
    ``numbers``."""

    videos: tuple[str, ...]
    classes: tuple[str, ...]
    tubes: Tubes
    numbers: Mapping[str, int] = field(default_factory=dict)
    oddities: Sequence[Oddity] = ()


def tubes_of_json(path: Path, content: Any, scored: bool = True) -> TubeRows | None:
    """The tubes of parsed JSON, or None for another form; :class:`DataError` names a malformed tube."""
    videos = content.get("tubes") if isinstance(content, Mapping) else None
    if not isinstance(videos, Mapping):
        return None
    rows = []
    for video, found in videos.items():
        if not isinstance(found, list):
            raise DataError(f"{path}, video {video}: not a list of tubes: write one, empty where there is none")
        for place, tube in enumerate(found):
            try:
                rows.append((str(video), *_tube(tube, scored)))
            except (KeyError, TypeError, ValueError, OverflowError):
                wanted = "label, " + "score, " * scored + "first (a frame) and boxes [[x1, y1, x2, y2], ...]"
                raise DataError(f"{path}, video {video}, tube {place}: needs {wanted}") from None
    video, label, first, boxes, score = zip(*rows) if rows else ((), (), (), (), ())
    offsets = np.cumsum([0, *map(len, boxes)])
    box = np.concatenate([np.zeros((0, 4)), *boxes])
    return TubeRows("tubes JSON", video, label, np.array(first, dtype=np.int64), offsets, box, np.array(score, float))


def _tube(tube: Mapping[str, Any], scored: bool) -> tuple[str, int, np.ndarray, float]:
    first, boxes = int(tube["first"]), np.array([[as_number(x) for x in box] for box in tube["boxes"]], dtype=float)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not 0 <= first < 2**31:
        raise ValueError("no boxes")
    return label_text(tube["label"]), first, boxes, as_number(tube["score"]) if scored else 0.0


def truth_of_json(path: Path) -> TubeTruth:
    """The annotated tubes of a JSON file; :class:`DataError` for another form, or a number that is not finite."""
    content, oddities = read_json(path)
    rows = tubes_of_json(path, content, scored=False)
    if rows is None or not len(rows.video) or not np.isfinite(rows.box).all():
        raise DataError(f"{path} annotates no tubes: write tubes, with label, first and boxes of finite numbers")
    videos, classes = tuple(map(str, content["tubes"])), tuple(sorted(set(rows.label)))
    place = {name: number for number, name in enumerate(videos)}
    video = np.array([place[name] for name in rows.video], dtype=np.int64)
    label = np.array([classes.index(name) for name in rows.label], dtype=np.int64)
    return TubeTruth(videos, classes, Tubes(video, label, rows.first, rows.offsets, rows.box), {}, oddities)


def truth_of_ucf(annotation: Path, test_list: Path) -> TubeTruth:
    """The annotated tubes of UCF101-24's test videos, whose classes are called 1, 2, ... in files with numbers."""
    found = read_tubes(annotation)
    names = found.videos.tolist()
    listed = read_test_list(test_list)
    place = {name: number for number, name in enumerate(name for name in names if name in listed)}
    starts, ends = found.offsets[:-1], found.offsets[1:]
    kept = [tube for tube, row in enumerate(starts) if ends[tube] > row and names[found.video[row]] in place]
    rows = [np.arange(starts[tube], ends[tube]) for tube in kept]
    head = starts[kept]
    video = np.array([place[names[number]] for number in found.video[head]], dtype=np.int64)
    offsets = np.cumsum([0, *map(len, rows)])
    box = found.box[np.concatenate(rows)] if rows else np.zeros((0, 4))
    tubes = Tubes(video, found.label[head], found.frame[head] + 1, offsets, box)
    return TubeTruth(tuple(place), found.classes, tubes, {name: n for n, name in enumerate(found.classes, start=1)})


def join_tubes(rows: TubeRows, truth: TubeTruth) -> tuple[Tubes, list[Oddity]]:
    """Tubes that index the truth's videos and classes; those in videos unknown to it are false positives."""
    video, label, unknown = _indices(rows.video, rows.label, truth)
    owner = np.repeat(np.arange(len(rows.video)), np.diff(rows.offsets))
    bad_box = ~np.isfinite(rows.box).all(axis=1)
    broken = ~np.isfinite(rows.score) | np.bincount(owner[bad_box], minlength=len(rows.video)).astype(bool)
    named = [f"{name} from frame {first}" for name, first in zip(rows.video, rows.first)]
    heads = rows.box[rows.offsets[:-1]]
    again = repeated((video, label, rows.first, np.diff(rows.offsets), *heads.T, rows.score))
    oddities = [
        Oddity.of("unknown video", unknown, "counted as false positives", rows.video),
        Oddity.of("unknown label", label < 0, "ignored", rows.label),
        Oddity.of("tube with a number that is not finite", broken, "dropped", named),
        Oddity.of("duplicate tube", again, "kept: a second match is a false positive", named),
    ]
    keep = ~broken & (label >= 0)
    offsets = np.cumsum([0, *np.diff(rows.offsets)[keep]])
    tubes = Tubes(video[keep], label[keep], rows.first[keep], offsets, rows.box[keep[owner]], rows.score[keep])
    return tubes, [one for one in oddities if one.count]


def link_rows(rows: BoxRows, truth: TubeTruth, linking: Linking, plus: float) -> tuple[Tubes, list[Oddity]]:
    """Tubes linked from boxes on frames (``rows.second`` is the frame's number)."""
    video, label, unknown = _indices(rows.video, rows.label, truth)
    numbers = (rows.score, rows.box, rows.second)
    missing = np.any([np.isnan(np.atleast_2d(column.T)).any(axis=0) for column in numbers], axis=0)
    endless = infinite(*numbers) & ~missing
    parted = ~missing & ~endless & ((rows.second % 1 != 0) | (np.abs(rows.second) > 2**31))
    empty = (rows.box[:, 2] <= rows.box[:, 0]) | (rows.box[:, 3] <= rows.box[:, 1])
    named = [f"{name}, frame {frame:g}" for name, frame in zip(rows.video, rows.second)]
    again = repeated((video, label, rows.second, *rows.box.T, rows.score))
    oddities = [
        Oddity.of("unknown video", unknown, "its tubes are false positives", rows.video),
        Oddity.of("unknown label", label < 0, "ignored", rows.label),
        Oddity.of("number that is not one", missing, "dropped", named),
        Oddity.of("number that is infinite", endless, "dropped", named),
        Oddity.of("frame that is no whole number", parted, "dropped", named),
        Oddity.of("box without area", empty & ~missing & ~endless, "dropped", named),
        Oddity.of("duplicate row", again, "dropped", named),
    ]
    keep = ~(missing | endless | parted | empty | again | (label < 0))
    boxes = Boxes(rows.second[keep].astype(np.int64), label[keep], rows.box[keep], rows.score[keep])
    return link_boxes(boxes, video[keep], linking, plus), [one for one in oddities if one.count]


def _indices(video: Sequence[str], label: Sequence[str], truth: TubeTruth) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places (N,) of videos (unknown ones by name, behind the known) and classes (-1: unknown); (N,) unknown videos.

    A video may be called with its folder or without, as tools for UCF101-24 do.
    """
    full = {name.rpartition("/")[2]: name for name in truth.videos} | {name: name for name in truth.videos}
    names = [full.get(name, name) for name in video]
    known = {name: number for number, name in enumerate(truth.videos)}
    for name in sorted(set(names) - set(known)):
        known[name] = len(known)
    place = np.array([known[name] for name in names], dtype=np.int64)
    return place, class_places(label, truth.classes, truth.numbers), place >= len(truth.videos)
