"""The hidden states of planted snippets: how each looks, how often it occurs, and its posterior given the features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from suite.data.planted.timelines import Timeline
from suite.hyper import Value

LEVELS = 4  # evidence ramps in quarters, so that states can be enumerated
HARD_EVIDENCE = 0.35  # class evidence of a hard instance relative to an easy one


@dataclass(frozen=True)
class VideoWorld:
    """The dials as attributes; ``context_snr`` is that of classes where it is not set."""

    dials: Mapping[str, Value]

    def __getattr__(self, name: str) -> Any:
        return self.dials[name]

    @property
    def scene_snr(self) -> float:
        """Strength of a scene without action, in noise deviations."""
        return float(self.class_snr if self.context_snr < 0 else self.context_snr)

    def generator(self, *stream: int) -> np.random.Generator:
        """A stream of its own for each purpose and video: the number of videos never changes a video."""
        return np.random.Generator(np.random.PCG64([int(self.dials["world_seed"]), *stream]))


@dataclass(frozen=True)
class Looks:
    """Unit directions: ``classes`` (C, D), ``actionness`` (D,), ``scenes`` (C, K, D).

    ``scenes`` is None where a scene looks like its class. The second class of a confusable pair may be weaker, and its
    direction shorter.
    """

    classes: np.ndarray
    actionness: np.ndarray
    scenes: np.ndarray | None = None


@dataclass(frozen=True)
class Snippets:
    """The hidden state of each of a video's L snippets, in integers.

    ``level`` (L, C) quarters of evidence of an instance under way (2 and more: its centre is inside); ``scene`` (L, C)
    0 without a scene of the class, else the number of its look from 1; ``hard`` (L,) bool, the instance under way is a
    hard one.
    """

    level: np.ndarray
    scene: np.ndarray
    hard: np.ndarray

    @classmethod
    def of(cls, timeline: Timeline, step: float, world: VideoWorld) -> Snippets:
        """Rasterize a timeline into snippets of ``step`` seconds: a snippet is what its centre is."""
        centre = (np.arange(max(1, int(timeline.duration / step))) + 0.5) * step
        depth = np.minimum(centre[:, None] - timeline.start, timeline.end - centre[:, None]) / step
        sharp = timeline.ramp == 0
        slope = np.clip(depth / np.where(sharp, 1.0, timeline.ramp) + 0.5, 0, 1)
        grade = np.where(sharp, (depth >= 0).astype(float), slope)
        level = np.floor(grade * LEVELS + 0.5).astype(np.int8)
        by_class = np.max(level[:, :, None] * timeline.classes[None], axis=1, initial=0)
        highest = level.max(axis=1, initial=0)
        hard = (level * timeline.hard).max(axis=1, initial=0) >= np.maximum(1, highest)
        within = (centre[:, None] >= timeline.scene_start) & (centre[:, None] < timeline.scene_end)
        scene = (within[:, :, None] & timeline.scene_classes[None]).any(axis=1)
        look = 1 + (timeline.place if world.context_kind == "own" else 0)
        return cls(by_class, (scene & (highest < LEVELS // 2)[:, None]) * np.int8(look), hard)

    @property
    def video_classes(self) -> np.ndarray:
        """(C,) classes with any evidence in the video."""
        return np.asarray(((self.level > 0) | (self.scene > 0)).any(axis=0))

    def runs(self) -> tuple[list[bytes], np.ndarray]:
        """The video as R stretches of one state each: the states as bytes of 2C + 1 integers, and (R,) lengths."""
        table = np.concatenate([self.level, self.scene, self.hard[:, None]], axis=1).astype(np.int8)
        first = np.flatnonzero(np.append(True, (table[1:] != table[:-1]).any(axis=1)))
        return [state.tobytes() for state in table[first]], np.diff(np.append(first, len(table)))


@dataclass(frozen=True)
class StateLaw:
    """The S states that occur, what each looks like and how often it does.

    ``mean`` (S, D) features; ``inside`` (S, C) and ``involved`` (S, C) bool; ``rate`` (S,) share of the snippets of
    those videos that hold all classes involved. ``strength`` has the (S,) noise deviations by which ``actionness``,
    ``class`` and ``scene`` evidence move each state.
    """

    number: Mapping[bytes, int]
    mean: np.ndarray
    inside: np.ndarray
    involved: np.ndarray
    rate: np.ndarray
    strength: Mapping[str, np.ndarray]
    allowed: dict[bytes, np.ndarray] = field(default_factory=dict)

    @classmethod
    def counted(cls, videos: list[Snippets], looks: Looks, world: VideoWorld) -> StateLaw:
        """Enumerate the states of ``videos`` and count them."""
        counts: dict[bytes, int] = {}
        for video in videos:
            for state, length in zip(*video.runs()):
                counts[state] = counts.get(state, 0) + int(length)
        number = {state: row for row, state in enumerate(sorted(counts))}
        table = np.array([np.frombuffer(state, dtype=np.int8) for state in number])
        classes = len(looks.classes)
        level, scene, hard = table[:, :classes], table[:, classes:-1], table[:, -1] > 0
        involved = (level > 0) | (scene > 0)
        together = np.sqrt(np.maximum(1, involved.sum(axis=1)))[
            :, None
        ]  # evidence of several classes shares its energy
        action = world.class_snr * (level / LEVELS * np.where(hard, HARD_EVIDENCE, 1.0)[:, None] / together)
        context = world.scene_snr * ((scene > 0) / together)
        moved = world.actionness_snr * (level.max(axis=1) / LEVELS)
        mean = moved[:, None] * looks.actionness
        for c in range(classes):  # one class after the other: the order of additions is the same everywhere
            if looks.scenes is None:
                mean += np.maximum(action, context)[:, c, None] * looks.classes[c]
                continue
            mean += action[:, c, None] * looks.classes[c]
            mean += context[:, c, None] * looks.scenes[c, np.maximum(scene[:, c], 1) - 1]
        rate = np.array([counts[state] for state in number]) / _room(involved, videos)
        strength = {"actionness": moved, "class": action.max(axis=1), "scene": context.max(axis=1)}
        return cls(number, mean, level >= LEVELS // 2, involved, rate, strength)

    def rows(self, video: Snippets) -> np.ndarray:
        """(L,) row of each snippet's state."""
        states, lengths = video.runs()
        return np.repeat([self.number[state] for state in states], lengths)

    def posterior(self, features: np.ndarray, video_classes: np.ndarray) -> np.ndarray:
        """(L, C) probability that a class is under way, given each snippet alone and the video's classes."""
        # States that involve a class which the video lacks are impossible; which remain is the same for many videos.
        key = video_classes.tobytes()
        if key not in self.allowed:
            self.allowed[key] = np.flatnonzero(~(self.involved & ~video_classes).any(axis=1))
        rows = self.allowed[key]
        mean = self.mean[rows]
        score = features @ mean.T - 0.5 * (mean**2).sum(axis=1) + np.log(self.rate[rows])
        weight = np.exp(score - score.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
        return np.round(weight @ self.inside[rows], 6)


def _room(involved: np.ndarray, videos: list[Snippets]) -> np.ndarray:
    """(S,) snippets of the videos that hold all classes a state involves."""
    held, owner = np.unique(np.array([v.video_classes for v in videos]), axis=0, return_inverse=True)
    lengths = np.bincount(owner.reshape(-1), [len(v.hard) for v in videos])
    needed, which = np.unique(involved, axis=0, return_inverse=True)
    room = np.array([lengths[(held >= row).all(axis=1)].sum() for row in needed])
    return np.asarray(room[which.reshape(-1)])
