"""Arrays of published shapes without the data: noise, on which a training step takes as long as on features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.evaluate.segments import Segments
from suite.leaderboard.timed import size_of
from suite.spec.card import DatasetCard, Size
from suite.tasks import task
from suite.tasks.actors.samples import Actors
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos
from suite.tasks.recognition.samples import Clips

RATE = 25.0  # frames per second where a card states none
FRAMES = 32  # of a clip of pixels


@dataclass(frozen=True)
class NoiseClips:
    """Clips of ``count`` times one noisy picture sequence, in the place of :class:`suite.data.video.ClipSource`."""

    count: int
    frames: np.ndarray

    def __len__(self) -> int:
        return self.count

    def clip(self, index: int) -> np.ndarray:
        """(frames, H, W, 3) uint8."""
        return self.frames

    def take(self, index: np.ndarray) -> NoiseClips:
        """As many clips as ``index`` names."""
        return NoiseClips(len(index), self.frames)


@dataclass(frozen=True)
class Noise:
    """Draws of noise; where ``empty``, features are zeros that take no memory."""

    draws: np.random.Generator
    empty: bool

    def of(self, count: int, channels: int) -> np.ndarray:
        """(count, channels) float32."""
        if self.empty:
            return np.broadcast_to(np.float32(0), (count, channels))
        return self.draws.standard_normal((count, channels), dtype=np.float32)


def generated(
    card: DatasetCard, asked: str, dials: Mapping[str, Any], train: int, test: int, empty: bool = False
) -> TaskData[Any]:
    """``train`` and ``test`` samples of noise in the shape of ``card`` as the task ``asked`` sees it, labels withheld.

    Of an actor dataset, unlabelled clips come beside the ``train`` ones in the published proportion. ``empty``: zeros
    that take no memory in the place of noise, to count batches.
    """
    size, generator = size_of(card), Noise(np.random.default_rng(0), empty)
    make = {"recognition": _clips, "actor-detection": _actors}.get(asked, _videos)
    counts = {"train": train, "validation": max(2, test // 4), "test": test}
    splits: dict[str, Any] = {name: make(card, size, count, name, generator) for name, count in counts.items()}
    classes = tuple(f"class {number}" for number in range(size.classes))
    scores = {name: generator.draws.random((len(part), size.classes)) for name, part in splits.items()}
    facts = {"kind": "generated", "feature_halves": True, "unit": "video", "class_scores": scores, "poses": 0}
    data: TaskData[Any] = TaskData.of(card.name, asked, classes, splits, facts)
    return task(asked).withhold(data, {**dials, "split_seed": 0, "list": "drawn", "stratified": False})


def _clips(card: DatasetCard, size: Size, count: int, split: str, noise: Noise) -> Clips:
    label = noise.draws.integers(size.classes, size=count)
    truth = np.zeros((count, size.classes), dtype=bool)
    truth[np.arange(count), label] = True
    names = np.array([f"{split} {number}" for number in range(count)])
    features = noise.of(count, card.layout.channels or 1)
    return Clips(names, features, label, truth, names, {"complete": truth})


def _videos(card: DatasetCard, size: Size, count: int, split: str, noise: Noise) -> Videos:
    lengths = np.full(count, size.length)
    rows = noise.of(int(lengths.sum()), card.layout.channels or 1)
    fps, stride = card.layout.fps or RATE, card.layout.stride or 16.0
    seconds = size.length * stride / fps
    per, width = max(1, size.segments), seconds / max(1, size.segments)
    start = (np.arange(per) + 0.25) * width
    return Videos.annotated(
        np.array([f"{split} {number}" for number in range(count)]),
        rows,
        lengths,
        Segments(
            video=np.repeat(np.arange(count), per),
            label=np.repeat(noise.draws.integers(size.classes, size=count), per),
            start=np.tile(start, count),
            end=np.tile(start + width / 2, count),
        ),
        size.classes,
        fps=fps,
        stride=stride,
        window=card.layout.window or stride,
        duration=np.full(count, seconds),
    )


def _actors(card: DatasetCard, size: Size, count: int, split: str, noise: Noise) -> Actors:
    """Clips of one video each; behind the labelled ones of training come unlabelled ones."""
    more = round(count * size.unlabelled / max(1, size.train)) if split == "train" else 0
    clips, boxes = count + more, max(1, size.boxes)
    owner = np.repeat(np.arange(clips), boxes)
    names = np.array([f"{split}{number},{902}" for number in range(clips)])
    video = np.array([f"{split}{number}" for number in owner])
    corner = noise.draws.random((len(owner), 2)) * 0.4
    box = np.concatenate([corner, corner + 0.4], axis=1)
    labels = noise.draws.random((len(owner), size.classes)) < 2 / size.classes
    pixels = noise.draws.integers(0, 256, size=(FRAMES, size.height, size.width, 3), dtype=np.uint8)
    ids = np.array([f"{name} {place}" for place, name in enumerate(video)])
    return Actors(
        ids=ids,
        clip=owner,
        clip_ids=names,
        video=video,
        second=np.full(len(owner), 902.0),
        box=box,
        box_score=np.ones(len(owner)),
        labels=labels,
        labelled=owner < count,
        features=np.zeros((len(owner), 0), dtype=np.float32),
        truth_clip=owner,
        truth_box=box,
        truth_labels=labels,
        unit=video,
        frames=NoiseClips(clips, pixels),
    )
