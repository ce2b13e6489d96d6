"""New video files with boxes of people, for models that learned from pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from suite.data.video import ClipSource, frame_rate
from suite.errors import DataError, UsageError
from suite.models.form import Form
from suite.tasks.actors.ava_files import read_detections
from suite.tasks.actors.samples import Actors
from suite.tasks.actors.tables import assemble

BOXES = "boxes.csv"
SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov")


def read_clips(folder: Path, form: Form) -> Actors:
    """The people whose boxes stand in ``boxes.csv`` of ``folder``, beside the video files.

    A line is ``video,second,x1,y1,x2,y2,label,score``, as person detectors are published for AVA: seconds from the
    first frame of the file of that name, corners in [0, 1], a label that is not looked at.
    Raises :class:`UsageError` for a model of features, :class:`DataError` for a video that is not there.
    """
    sampling = form["splits"]["test"].get("frames", {}).get("clips")
    if sampling is None:
        raise UsageError("this model learned from features, not from pixels: give the features of new samples.")
    people = assemble(read_detections(folder / BOXES, len(form["classes"]), -np.inf))
    owners = [name.rsplit(",", 1) for name in people.clip_ids.tolist()]
    files = {video: _file(folder, video) for video, _ in owners}
    rates = {video: sampling["fps"] or frame_rate(file) for video, file in files.items()}
    centres = np.array([round(float(second) * rates[video]) for video, second in owners], dtype=np.int64)
    paths = np.array([str(files[video]) for video, _ in owners], dtype=str)
    return replace(people, frames=ClipSource(paths, centres, **{**sampling, "pattern": ""}))


def _file(folder: Path, video: str) -> Path:
    found = next((path for suffix in SUFFIXES if (path := folder / f"{video}{suffix}").is_file()), None)
    if found is None:
        raise DataError(
            f"{folder / BOXES} names the video {video}, and {folder} has no {video}{SUFFIXES[0]}; put it there."
        )
    return found
