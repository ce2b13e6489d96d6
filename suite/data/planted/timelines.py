"""Timelines of untrimmed videos: when which class happens and where its scene shows without the action.

Planted timelines follow log-normal laws fitted to the THUMOS-14 annotations (412 videos, union of segments per video:
instances of median 3.1 s, gaps of 3.2 s, videos of 154 s, 15 % with more than one class). Real timelines are read from
the annotation files of THUMOS-14 or ActivityNet-1.3 where those are present.
"""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from suite.errors import DataError

DURATION_LAW = (1.12, 0.85)  # mean and deviation of log seconds: THUMOS-14 instances
GAP_LAW = (1.11, 1.47)  # THUMOS-14 stretches between instances
EDGE_LAW = (2.38, 1.0)  # THUMOS-14 stretches before the first and after the last instance
VIDEO_SPREAD = 0.87  # deviation of log video length
VIDEO_LIMITS = (15.0, 600.0)  # seconds; keeps one video from outweighing a split
SHORTEST = 0.3  # seconds of the shortest instance


@dataclass(frozen=True)
class Timeline:
    """One video of ``duration`` seconds: n instances, each with its classes, and m scene stretches without action.

    ``start``, ``end`` (n,) seconds; ``classes`` (n, C) bool; ``hard`` (n,) bool, weak class evidence;
    ``scene_start``, ``scene_end`` (m,), ``scene_classes`` (m, C) bool. ``ramp`` (n,) snippets over which each
    instance's evidence comes and goes; ``place``: which of its class's scenes the video was shot in.
    """

    name: str
    duration: float
    start: np.ndarray
    end: np.ndarray
    classes: np.ndarray
    hard: np.ndarray
    scene_start: np.ndarray
    scene_end: np.ndarray
    scene_classes: np.ndarray
    ramp: np.ndarray = field(default_factory=lambda: np.zeros(0))
    place: int = 0


def lognormal(generator: np.random.Generator, law: tuple[float, float], size: int | None = None) -> Any:
    """Draws in seconds, rounded to a hundredth so that the last bit of ``exp`` never matters."""
    return np.round(np.exp(law[0] + law[1] * generator.standard_normal(size)), 2)


def planted_instances(
    generator: np.random.Generator,
    first: int,
    classes: int,
    video_seconds: float,
    co_occurrence: float,
    nested: bool,
    length_scale: float = 1.0,
    action_share: float = 0.0,
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Duration, starts, ends and (n, C) classes of one video about class ``first``.

    Instances last ``length_scale`` times what the law says and fill the share ``action_share`` of the video (0: as much
    as the laws give). With probability ``co_occurrence`` a second class shares the video. ``nested``: class 0 is a
    special case of class 1, so each of its instances is annotated as both (as CliffDiving in Diving).
    """
    duration = float(np.clip(lognormal(generator, (np.log(video_seconds), VIDEO_SPREAD)), *VIDEO_LIMITS))
    places = _filled(generator, duration, length_scale, action_share) if action_share else None
    start, end = places or _by_the_laws(generator, duration, length_scale)
    present = [first]
    if generator.random() < co_occurrence:
        present.append(int(generator.choice([c for c in range(classes) if c != first])))
    label = np.array(present)[generator.integers(0, len(present), len(start))]
    which = label[:, None] == np.arange(classes)[None, :]
    if nested:
        which[:, 1] |= which[:, 0]
    return duration, np.array(start), np.array(end), which


def _by_the_laws(
    generator: np.random.Generator, duration: float, length_scale: float
) -> tuple[list[float], list[float]]:
    """Starts and ends of instances whose lengths and gaps follow the fitted laws."""
    # Together at most half of the video, so that even a short one has room for an instance.
    edges = np.minimum(lognormal(generator, EDGE_LAW, 2), duration / 4)
    start: list[float] = []
    end: list[float] = []
    clock = edges[0]
    while not start or clock + SHORTEST < duration - edges[1]:
        length = max(SHORTEST, length_scale * float(lognormal(generator, DURATION_LAW)))
        start.append(clock)
        end.append(min(clock + length, duration - edges[1]))
        clock = end[-1] + max(SHORTEST, float(lognormal(generator, GAP_LAW)))
    return start, end


def _filled(
    generator: np.random.Generator, duration: float, length_scale: float, action_share: float
) -> tuple[list[float], list[float]]:
    """Starts and ends of instances that last ``action_share * duration`` seconds in all; gaps share the rest."""
    wanted, lengths = action_share * duration, list[float]()
    while sum(lengths) < wanted:
        lengths.append(max(SHORTEST, length_scale * float(lognormal(generator, DURATION_LAW))))
    lengths[-1] -= sum(lengths) - wanted
    if len(lengths) > 1 and lengths[-1] < SHORTEST:
        rest = lengths.pop()
        lengths[-1] += rest
    gaps = lognormal(generator, GAP_LAW, len(lengths) + 1)
    gaps *= (duration - wanted) / gaps.sum()
    start = np.round(np.cumsum(gaps[:-1]) + np.cumsum([0.0, *lengths[:-1]]), 2)
    return start.tolist(), np.minimum(start + lengths, duration).tolist()


def with_scenes(
    generator: np.random.Generator,
    name: str,
    instances: tuple[float, np.ndarray, np.ndarray, np.ndarray],
    context: float,
    hard_instances: float,
) -> Timeline:
    """Add what misleads: scene stretches beside instances and alone, and instances that hardly look like their class.

    Each side of an instance, and the middle of each gap, holds a scene with probability ``context``; a scene lasts as
    long as an instance would, and at most the room that is free. A lone scene is of a class of the video; a video
    without instances has none.
    """
    duration, start, end, which = instances
    hard = generator.random(len(start)) < hard_instances
    low, high, scene = [], [], []
    for left, right, before, after in _gaps(duration, start, end):
        room = right - left
        lengths = np.minimum(lognormal(generator, DURATION_LAW, 3), room / 3)
        takes = generator.random(3) < context
        # Drawn whether it is used or not, so that ``context`` does not shift the draws that follow.
        lone = int(generator.integers(0, len(start))) if len(start) else -1
        middle = left + room / 2
        pieces = (
            (left, left + lengths[0], before),
            (right - lengths[1], right, after),
            (middle - lengths[2] / 2, middle + lengths[2] / 2, lone),
        )
        for (begin, stop, instance), taken in zip(pieces, takes):
            if taken and instance >= 0 and stop > begin:
                low.append(begin)
                high.append(stop)
                scene.append(which[instance])
    scenes = np.array(scene, dtype=bool).reshape(-1, which.shape[1])
    return Timeline(name, duration, start, end, which, hard, np.array(low), np.array(high), scenes)


def _gaps(duration: float, start: np.ndarray, end: np.ndarray) -> list[tuple[float, float, int, int]]:
    """Stretches without any instance: left, right, the instance before and the one after (-1 for none)."""
    order = np.argsort(start, kind="stable")
    gaps, reach, before = [], 0.0, -1
    for instance in order:
        if start[instance] > reach:
            gaps.append((reach, float(start[instance]), before, int(instance)))
        if end[instance] > reach:
            reach, before = float(end[instance]), int(instance)
    if duration > reach:
        gaps.append((reach, duration, before, -1))
    return gaps


Instances = tuple[float, np.ndarray, np.ndarray, np.ndarray]  # seconds, starts, ends, (n, C) classes
RealVideos = tuple[tuple[str, ...], list[tuple[str, str, Instances]]]  # class names; (subset, video, instances)


def real_instances(kind: str, folder: Path, sha256: dict[str, str]) -> RealVideos:
    """Class names and, video by video, (subset, name, instances) of a real annotation file below ``folder``.

    ``kind`` is ``thumos14`` or ``activitynet13``; ``sha256`` pins the content of each file.
    Raises :class:`DataError` when a file is missing or is another one.
    """
    return _thumos(folder, sha256) if kind == "thumos14" else _activitynet(folder, sha256)


def _thumos(folder: Path, sha256: dict[str, str]) -> RealVideos:
    videos = json.loads(_pinned(folder, "thumos14/thumos14_412.json", sha256))
    classes = sorted({row["label"] for video in videos.values() for row in video["annotations"]})
    subset = {"validation": "train", "test": "test"}
    found = []
    for name, video in sorted(videos.items()):
        found.append((subset[video["subset"]], name, instances_of(video["duration"], video["annotations"], classes)))
    return tuple(classes), found


def _activitynet(folder: Path, sha256: dict[str, str]) -> RealVideos:
    videos = json.loads(_pinned(folder, "activitynet13/anet_anno_action.json", sha256))
    rows = csv.DictReader(_pinned(folder, "activitynet13/video_info_new.csv", sha256).splitlines())
    subsets = {row["video"]: row["subset"] for row in rows}
    kept = {name: video for name, video in videos.items() if subsets.get(name) in ("training", "validation")}
    classes = sorted({row["label"] for video in kept.values() for row in video["annotations"]})
    subset = {"training": "train", "validation": "test"}
    return tuple(classes), [
        (subset[subsets[name]], name, instances_of(video["duration_second"], video["annotations"], classes))
        for name, video in sorted(kept.items())
        if video["annotations"]
    ]


def instances_of(duration: float, rows: list[dict[str, Any]], classes: list[str]) -> Instances:
    """Instances of one annotated video: one for each distinct stretch, with every class annotated on it."""
    together: dict[tuple[float, float], list[str]] = {}
    for row in rows:
        begin, stop = (min(float(t), duration) for t in row["segment"])
        if stop > begin:
            together.setdefault((begin, stop), []).append(row["label"])
    spans = sorted(together)
    which = np.array([[name in together[span] for name in classes] for span in spans], dtype=bool)
    start, end = (np.array([span[i] for span in spans]) for i in range(2))
    return float(duration), start, end, which.reshape(-1, len(classes))


def _pinned(folder: Path, path: str, sha256: dict[str, str]) -> str:
    file = folder / path
    if not file.is_file():
        raise DataError(f"planted-videos: {file} is not there; put the annotations there or use timelines=planted.")
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256.get(path):
        raise DataError(f"planted-videos: {file} is not the annotation file the card names by SHA-256; fetch that one.")
    return content.decode("utf-8")
