"""Annotated boxes for scoring files made by others: annotations only, no features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from suite.evaluate.boxes import Boxes
from suite.tasks.actors.ava_files import label_map, read_annotations, read_exclusions
from suite.tasks.actors.samples import Actors
from suite.tasks.data import TaskData


@dataclass(frozen=True)
class BoxTruth:
    """Annotated boxes: ``boxes.frame`` indexes ``frames`` (video, second), ``boxes.label`` indexes ``classes``.

    ``excluded`` are frames that count neither way; ``numbers`` what a class is called where files use numbers.
    """

    frames: tuple[tuple[str, float], ...]
    classes: tuple[str, ...]
    boxes: Boxes
    numbers: Mapping[str, int]
    excluded: frozenset[tuple[str, float]] = frozenset()


def truth_from_data(data: TaskData[Actors]) -> BoxTruth:
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
    )


def moment(video: Any, second: Any) -> tuple[str, float]:
    """A key frame, its second rounded so that equal moments written differently are equal."""
    return str(video), round(float(second), 6)
