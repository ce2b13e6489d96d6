"""HAPT cut into clips for weakly supervised localization.

Every full sequence follows one script and holds nearly all classes, so its video-level labels say almost nothing.
Clips of about ``seconds`` hold two or three classes. Cuts prefer the background between activities: each is made at
the background sample nearest to where the clip should end, within a quarter of its length; where an activity is longer
than that, it is cut, and both parts stay annotated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from suite.data.readers.hapt import as_task
from suite.data.readers.hapt_signals import RATE, Recording, by_split, read_recordings
from suite.data.reading import Reader
from suite.hyper import Value
from suite.spec.card import DatasetCard
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

ACTIVITIES = 6
"""Walking (level, up, down), sitting, standing and lying come first among the classes, the transitions after them."""
SLACK = 0.25
"""How far a cut may move from where the clip should end, as a share of the clip's length."""


def read(card: DatasetCard, folder: Path, dials: Mapping[str, Value], task: str) -> TaskData[Videos]:
    """Clips of about ``options.seconds``, split by user; a clip in which nothing happens is left out.

    The dial ``actions`` says what happens: ``all`` twelve classes, or the six ``transitions`` between postures alone.
    """
    recordings, classes = read_recordings(folder)
    if dials.get("actions") == "transitions":
        recordings, classes = [transitions_of(recording) for recording in recordings], classes[ACTIVITIES:]
    seconds = float(card.options["seconds"])
    splits = {
        name: [clip for recording in some for clip in clips_of(recording, seconds)]
        for name, some in by_split(recordings).items()
    }
    return as_task(card, task, splits, classes)


def transitions_of(recording: Recording) -> Recording:
    """The recording with its transitions numbered from 0; activities, which last long, are background."""
    kept = np.flatnonzero(recording.label >= ACTIVITIES)
    columns = {name: getattr(recording, name)[kept] for name in ("label", "start", "end")}
    return replace(recording, **{**columns, "label": columns["label"] - ACTIVITIES})


def clips_of(recording: Recording, seconds: float) -> list[Recording]:
    """The annotated clips of one recording, in order; a rest shorter than half a clip joins the last one."""
    edges = cuts(recording.sample_labels() < 0, int(seconds * RATE))
    pieces = (
        recording.cut(first, last, f"{recording.name}_clip{place:02d}")
        for place, (first, last) in enumerate(pairwise(edges))
    )
    return [piece for piece in pieces if len(piece.label)]


def cuts(background: np.ndarray, length: int) -> list[int]:
    """Edges of clips of about ``length`` samples, from 0 to the end; ``background`` (T,) bool."""
    edges, total = [0], len(background)
    # A rest of up to half a clip joins the last one instead of becoming a very short clip.
    while total - edges[-1] > 1.5 * length:
        wanted = edges[-1] + length
        reach = int(SLACK * length)
        # Cuts lie in the background where there is any nearby, so that few segments are cut in two.
        free = np.flatnonzero(background[wanted - reach : wanted + reach + 1]) + wanted - reach
        edges.append(int(free[np.argmin(np.abs(free - wanted))]) if len(free) else wanted)
    return [*edges, total]


def counts(card: DatasetCard, folder: Path, data: Any) -> dict[str, int | float]:
    """Clips in all and how many classes one shows on average."""
    splits = [data.split(name) for name in ("train", "validation", "test")]
    labels = np.concatenate([split.video_labels.sum(axis=1) for split in splits])
    return {"clips": len(labels), "classes_per_clip": round(float(labels.mean()), 2)}


READER = Reader(read, counts=counts)
