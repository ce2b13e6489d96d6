"""Boxes of a file joined with the truth's frames and classes; what does not fit is counted, never hidden."""

from __future__ import annotations

import numpy as np

from suite.evaluate.boxes import Boxes
from suite.tasks.actors.scoring.forms import BoxRows
from suite.tasks.actors.scoring.truth import BoxTruth, moment
from suite.tasks.scoring.joining import class_places, label_codes, repeated
from suite.tasks.scoring.report import Oddity


def join_boxes(rows: BoxRows, truth: BoxTruth) -> tuple[Boxes, list[tuple[str, float]], list[Oddity]]:
    """Boxes that index the truth's classes and frames, and the frames: the truth's, then those only predicted."""
    frames = list(truth.frames)
    place = {frame: number for number, frame in enumerate(frames)}
    moments = [moment(video, second) for video, second in zip(rows.video, rows.second)]
    for one in moments:
        if one not in place:
            place[one] = len(frames)
            frames.append(one)
    frame = np.array([place[one] for one in moments], dtype=np.int64)
    label = class_places(rows.label, truth.classes, truth.numbers)
    videos = {video for video, _ in truth.frames}
    strange = np.array([video not in videos for video in rows.video], dtype=bool)
    excluded = np.array([one in truth.excluded for one in moments], dtype=bool)
    broken = np.isnan(rows.score) | np.isnan(rows.box).any(axis=1) | np.isnan(rows.second)
    empty = (rows.box[:, 2] <= rows.box[:, 0]) | (rows.box[:, 3] <= rows.box[:, 1])
    outside = ((rows.box < 0) | (rows.box > 1)).any(axis=1)
    named = [f"{video} at {second:g} s" for video, second in moments]
    empty_frame = ~strange & ~excluded & (frame >= len(truth.frames))
    columns = (frame, label_codes(rows.label, label), *rows.box.T, rows.score)
    oddities = [
        Oddity.of("unknown video", strange, "counted as false positives", rows.video),
        Oddity.of("frame without ground truth", empty_frame, "counted as the protocol says", named),
        Oddity.of("unknown label", label < 0, "ignored", rows.label),
        Oddity.of("number that is not one", broken, "dropped", named),
        Oddity.of("box without area", empty & ~broken, "dropped as the protocol says", named),
        Oddity.of("box outside the picture", outside & ~broken, "kept as it is", named),
        Oddity.of("duplicate row", repeated(columns), "kept: a second match is a false positive", named),
    ]
    keep = ~(broken | (label < 0) | excluded)
    boxes = Boxes(frame[keep], label[keep], rows.box[keep], rows.score[keep])
    return boxes, frames, [one for one in oddities if one.count]
