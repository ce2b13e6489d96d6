"""What a dataset hands to methods: typed columns, one class a kind of sample.

Arrays may be memory-mapped and are read-only. ``oracle`` holds hidden truth (posteriors of a planted world, per-snippet
ground truth, labels withheld by a split): only evaluators, analyses and methods marked ``oracle`` may look there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Generic, TypeVar

import numpy as np

from suite.evaluate.segments import Segments


@dataclass(frozen=True)
class Clips:
    """Trimmed clips for recognition: N clips, D feature channels, C classes.

    ``ids`` (N,) str; ``features`` (N, D) float; ``label`` (N,) int, the single annotated class;
    ``truth`` (N, C) bool, the complete label sets (training methods must not read it unless they are oracles);
    ``unit`` (N,) str, what splits are disjoint by (source video, user).
    """

    ids: np.ndarray
    features: np.ndarray
    label: np.ndarray
    truth: np.ndarray
    unit: np.ndarray
    oracle: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, index: np.ndarray) -> Clips:
        """The clips at ``index``."""
        return replace(
            self,
            **{f.name: getattr(self, f.name)[index] for f in fields(self) if f.name != "oracle"},
            oracle={k: v[index] for k, v in self.oracle.items()},
        )


@dataclass(frozen=True)
class Videos:
    """Untrimmed videos for localization: V videos, L_v snippets each, D channels, C classes.

    ``ids`` (V,) str; ``rows`` (ΣL, D) float, all snippets one video after the other; ``offsets`` (V+1,) int, video v
    owns ``rows[offsets[v]:offsets[v+1]]``; ``fps`` (V,) frames a second; ``stride`` and ``window`` (V,) frames between
    snippets and frames a snippet sees; ``duration`` (V,) seconds; ``video_labels`` (V, C) bool; ``segments`` the
    annotated segments in seconds, with ``segments.video`` an index into ``ids``; ``labelled`` (V,) bool, False where a
    semi-supervised split withholds the annotation (``segments`` then still holds it for evaluation only: learn from
    :meth:`known_segments`); ``unit`` (V,) str. ``oracle`` arrays are per snippet (ΣL, ...).
    """

    ids: np.ndarray
    rows: np.ndarray
    offsets: np.ndarray
    fps: np.ndarray
    stride: np.ndarray
    window: np.ndarray
    duration: np.ndarray
    video_labels: np.ndarray
    segments: Segments
    labelled: np.ndarray
    unit: np.ndarray
    oracle: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> np.ndarray:
        """(V,) snippets in each video."""
        return np.diff(self.offsets)

    @property
    def snippet_seconds(self) -> np.ndarray:
        """(V,) seconds between snippets."""
        return np.asarray(self.stride / self.fps)

    def features(self, video: int) -> np.ndarray:
        """(L, D) snippet features of one video, a view of the store."""
        return self.rows[self.offsets[video] : self.offsets[video + 1]]

    def take(self, index: np.ndarray) -> Videos:
        """The videos at ``index``, with copies of their snippets."""
        index = np.asarray(index, dtype=np.int64)
        rows = np.concatenate([np.arange(self.offsets[v], self.offsets[v + 1]) for v in index] or [index])
        place = np.full(len(self), -1)
        place[index] = np.arange(len(index))
        kept = self.segments.take(place[self.segments.video] >= 0)
        columns = ("ids", "fps", "stride", "window", "duration", "video_labels", "labelled", "unit")
        return replace(
            self,
            **{name: getattr(self, name)[index] for name in columns},
            rows=self.rows[rows],
            offsets=np.concatenate([[0], np.cumsum(self.lengths[index])]),
            segments=replace(kept, video=place[kept.video]),
            oracle={name: values[rows] for name, values in self.oracle.items()},
        )

    def known_segments(self) -> Segments:
        """The segments of labelled videos: all that a method may learn from."""
        return self.segments.take(np.flatnonzero(self.labelled[self.segments.video]))


@dataclass(frozen=True)
class Actors:
    """Person boxes with label sets: N instances in M clips, C classes.

    ``ids`` (N,) str; ``clip`` (N,) int, index of the clip an instance belongs to (a clip's instances are contiguous, in
    fixed order); ``clip_ids`` (M,) str; ``video`` (N,) str; ``second`` (N,) float key-frame time; ``box`` (N, 4) float,
    x1 y1 x2 y2 in [0, 1]; ``labels`` (N, C) bool; ``labelled`` (N,) bool, the same for all instances of a clip;
    ``features`` (N, D) float, or (N, 0) when ``frames`` decodes clips instead. ``truth_*`` are the ground-truth boxes
    that evaluation uses (they equal the instances unless boxes come from a detector, with scores ``box_score``).
    """

    ids: np.ndarray
    clip: np.ndarray
    clip_ids: np.ndarray
    video: np.ndarray
    second: np.ndarray
    box: np.ndarray
    box_score: np.ndarray
    labels: np.ndarray
    labelled: np.ndarray
    features: np.ndarray
    truth_clip: np.ndarray
    truth_box: np.ndarray
    truth_labels: np.ndarray
    unit: np.ndarray
    frames: Any = None
    oracle: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, index: np.ndarray) -> Actors:
        """The clips at ``index`` (increasing), with their instances, truth and pixels."""
        keep = np.zeros(len(self.clip_ids), dtype=bool)
        keep[index] = True
        number = np.cumsum(keep) - 1
        rows, true_rows = keep[self.clip], keep[self.truth_clip]
        columns = ("ids", "video", "second", "box", "box_score", "labels", "labelled", "features", "unit")
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in columns},
            clip=number[self.clip[rows]],
            clip_ids=self.clip_ids[keep],
            truth_clip=number[self.truth_clip[true_rows]],
            truth_box=self.truth_box[true_rows],
            truth_labels=self.truth_labels[true_rows],
            frames=None if self.frames is None else self.frames.take(np.flatnonzero(keep)),
            oracle={name: values[rows] for name, values in self.oracle.items()},
        )


SampleT = TypeVar("SampleT", Clips, Videos, Actors)


@dataclass(frozen=True)
class TaskData(Generic[SampleT]):
    """One dataset as one task sees it: three splits, disjoint by unit, and what is known about it.

    ``facts`` holds small values that methods and evaluators may need (``groups``: head/tail class ids; ``posterior``
    constants; ``halves``: the first channels are RGB; ``ceilings``: metric name to value).
    """

    name: str
    task: str
    classes: tuple[str, ...]
    train: SampleT
    validation: SampleT
    test: SampleT
    protocol: str = "default"
    fingerprint: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def split(self, name: str) -> SampleT:
        """The split called ``train``, ``validation`` or ``test``."""
        sample: SampleT = getattr(self, name)
        return sample


@dataclass(frozen=True)
class ClipScores:
    """Recognition predictions: ``logits`` (N, C); ``threshold``: the method's calibrated probability threshold."""

    logits: np.ndarray
    threshold: float = 0.5


@dataclass(frozen=True)
class ActorScores:
    """Actor-detection predictions: ``scores`` (N, C) probabilities, one row an instance of the split."""

    scores: np.ndarray


Predictions = ClipScores | ActorScores | Segments  # localization predicts scored Segments in seconds
