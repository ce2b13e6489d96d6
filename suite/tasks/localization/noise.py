"""Noise in the segments of a training split, as a dataset's dials declare it: missed, of another class, moved.

Training then sees ``Videos.seen`` in place of ``segments``, which stay as they were for evaluation and analyses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from suite.errors import UsageError
from suite.evaluate.segments import Segments
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos
from suite.tasks.noise import disturbed

AMOUNTS = ("segment_drop", "class_flip", "boundary_jitter")


def noisy_segments(data: TaskData[Videos], dials: Mapping[str, Any]) -> TaskData[Videos]:
    """``data`` in whose training split some of the segments of labelled videos are missed, wrong or moved.

    ``facts["noise"]`` counts those that are ``dropped`` and ``flipped``, and has the mean shift of boundaries
    (``moved``, seconds). Other segments, validation and test stay.
    """
    if not any(float(dials.get(name, 0.0)) for name in AMOUNTS):
        return data
    train, known = data.train, data.train.known_segments()
    drop, flip = float(dials.get("segment_drop", 0.0)), float(dials.get("class_flip", 0.0))
    seed = int(dials.get("noise_seed", 0))
    kept, flipped = disturbed(len(known), drop, flip, seed)
    label = np.where(flipped, _others(known.label, len(data.classes), np.random.default_rng([seed, 2]))[kept], -1)
    stayed = known.take(kept)
    start, end = (side[kept] for side in _moved(known, np.asarray(train.duration), dials, seed))
    seen = Segments(stayed.video, np.where(flipped, label, stayed.label), start, end)
    shifts = np.abs(np.concatenate([start - stayed.start, end - stayed.end]))
    counts = {"dropped": len(known) - len(kept), "flipped": int((seen.label != stayed.label).sum())}
    noise = {**counts, "moved": float(shifts.mean()) if len(shifts) else 0.0}
    return replace(data, train=replace(train, seen=seen), facts={**data.facts, "noise": noise})


def noisy_classes(data: TaskData[Videos], dials: Mapping[str, Any]) -> TaskData[Videos]:
    """``data`` whose training videos have the classes of noisy segments: weak labels of an annotator who errs.

    A class goes where all of its segments in a video are missed or get another class, and one comes where a segment is
    given it; a video that loses its last class leaves training.

    Raises :class:`UsageError` for ``boundary_jitter``, which changes no class of a video.
    """
    if float(dials.get("boundary_jitter", 0.0)):
        raise UsageError(
            f"{data.task} learns from classes of videos, which boundary_jitter leaves as they are: set segment_drop or "
            "class_flip."
        )
    noisy = noisy_segments(data, dials)
    if noisy is data:
        return data
    train = noisy.train
    had, has = (_presence(segments, train) for segments in (data.train.known_segments(), train.known_segments()))
    labels = (np.asarray(train.video_labels) & ~(had & ~has)) | has
    train = replace(train, video_labels=labels)
    emptied = np.asarray(data.train.video_labels).any(axis=1) & ~labels.any(axis=1)
    if emptied.any():
        train = train.take(np.flatnonzero(~emptied))
    noise = {**noisy.facts["noise"], "videos left out": int(emptied.sum())}
    return replace(noisy, train=train, facts={**noisy.facts, "noise": noise})


def _presence(segments: Segments, videos: Videos) -> np.ndarray:
    """(V, C) bool the classes that ``segments`` give to each video."""
    shown = np.zeros(videos.video_labels.shape, dtype=bool)
    shown[segments.video, segments.label] = True
    return shown


def _others(label: np.ndarray, classes: int, generator: np.random.Generator) -> np.ndarray:
    """(N,) another class than ``label`` (N,), each as likely as the others; its own where there is but one class."""
    return (label + generator.integers(1, max(2, classes), len(label))) % classes


def _moved(known: Segments, duration: np.ndarray, dials: Mapping[str, Any], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Start and end (N,) in seconds, moved by normal noise of the deviation ``boundary_jitter``.

    What would lie outside the video is reflected at its ends, so that no two boundaries fall together there; ends that
    have changed places are changed back.
    """
    amount = float(dials.get("boundary_jitter", 0.0))
    if not amount:
        return known.start, known.end
    scale = known.length if dials.get("jitter_unit", "share") == "share" else np.ones(len(known))
    drawn = np.random.default_rng([seed, 3]).normal(size=(2, len(known)))
    limit = 2 * np.maximum(duration[known.video], known.end)  # annotations may end a little after their video
    turned = np.mod(np.stack([known.start, known.end]) + amount * scale * drawn, limit)
    start, end = np.sort(np.minimum(turned, limit - turned), axis=0)
    return start, end
