"""HAPT as untrimmed videos: whole recordings, split by user (:mod:`suite.data.readers.hapt_signals` reads them)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from suite.data.readers.hapt_signals import RATE, Recording, by_split, read_recordings, scale_of, statistics
from suite.data.reading import Reader
from suite.evaluate.segments import Segments
from suite.hyper import Value
from suite.spec.card import DatasetCard
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos


def as_videos(
    recordings: Sequence[Recording],
    classes: int,
    window: int,
    stride: int,
    scale: tuple[np.ndarray, np.ndarray] | None = None,
) -> Videos:
    """Recordings as untrimmed videos: 36 statistics per snippet, segments in seconds, all labelled."""
    rows = [statistics(recording.signals, window, stride) for recording in recordings]
    mean, deviation = scale or (np.float32(0), np.float32(1))
    owner = np.repeat(np.arange(len(recordings)), [len(recording.label) for recording in recordings])
    label, start, end = (
        np.concatenate([getattr(recording, name) for recording in recordings]) for name in ("label", "start", "end")
    )
    return Videos.annotated(
        np.array([recording.name for recording in recordings]),
        ((np.concatenate(rows) - mean) / deviation).astype(np.float32),
        [len(block) for block in rows],
        Segments(owner, label, start / RATE, end / RATE),
        classes,
        fps=RATE,
        stride=stride,
        window=window,
        duration=[len(recording) / RATE for recording in recordings],
        unit=np.array([f"user{recording.user:02d}" for recording in recordings]),
    )


def as_task(
    card: DatasetCard, task: str, splits: Mapping[str, Sequence[Recording]], classes: tuple[str, ...]
) -> TaskData[Videos]:
    """Recordings by split as a localization dataset, standardized by the training snippets."""
    window, stride = int(card.layout.window or 64), int(card.layout.stride or 25)
    raw = as_videos(splits["train"], len(classes), window, stride)
    scale = scale_of(raw.rows)
    parts = {name: as_videos(recordings, len(classes), window, stride, scale) for name, recordings in splits.items()}
    facts = {"feature_halves": True, "unit": "user", "kind": "real"}
    return TaskData.of(card.name, task, classes, parts, facts)


def read(card: DatasetCard, folder: Path, dials: Mapping[str, Value], task: str) -> TaskData[Videos]:
    """Whole sequences, split by user."""
    recordings, classes = read_recordings(folder)
    return as_task(card, task, by_split(recordings), classes)


def counts(card: DatasetCard, folder: Path, data: Any) -> dict[str, int | float]:
    """What the published description counts: sequences, users, samples, segments, overlaps, share of background."""
    recordings, classes = read_recordings(folder)
    samples = sum(map(len, recordings))
    covered = sum(int((recording.end - recording.start).sum()) for recording in recordings)
    return {
        "sequences": len(recordings),
        "users": len({recording.user for recording in recordings}),
        "samples": samples,
        "classes": len(classes),
        "segments": sum(len(recording.label) for recording in recordings),
        "overlaps": sum(int((recording.start[1:] < recording.end[:-1]).sum()) for recording in recordings),
        "background_percent": round(100 * (1 - covered / samples)),
    }


READER = Reader(read, counts=counts)
