"""Untrimmed videos. What is predicted for them is scored :class:`suite.evaluate.segments.Segments`, in seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from suite.evaluate.segments import Segments
from suite.tasks.localization.votes import agreed
from suite.tasks.mapped import read_at_once


@dataclass(frozen=True)
class Annotations:
    """The segments of A annotators of V videos: ``annotator`` (S,) says whose each of the S ``segments`` is.

    ``seen`` (V, A) bool: who looked at which video; a video that was seen may have no segment.
    """

    segments: Segments
    annotator: np.ndarray
    seen: np.ndarray

    @classmethod
    def of(cls, parts: Sequence[Segments], seen: np.ndarray) -> Annotations:
        """The segments of each annotator, in the order of the card."""
        owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        return cls(Segments.concatenate(parts), owner, np.asarray(seen, dtype=bool))

    def take(self, index: np.ndarray, place: np.ndarray) -> Annotations:
        """Those of the videos at ``index``, which have a new ``place`` (V,); it is -1 for the others."""
        kept = place[self.segments.video] >= 0
        return Annotations(_placed(self.segments, place), self.annotator[kept], self.seen[index])


@dataclass(frozen=True)
class Videos:
    """Untrimmed videos for localization: V videos, L_v snippets each, D channels, C classes.

    ``ids`` (V,) str; ``rows`` (ΣL, D) float, all snippets one video after the other; ``offsets`` (V+1,) int, video v
    owns ``rows[offsets[v]:offsets[v+1]]``; ``fps`` (V,) frames per second; ``stride`` and ``window`` (V,) frames
    between snippets and frames that a snippet sees; ``duration`` (V,) seconds; ``video_labels`` (V, C) bool;
    ``segments`` the annotated segments in seconds, with ``segments.video`` an index into ``ids``; ``labelled`` (V,)
    bool, False where a semi-supervised split withholds the annotation (``segments`` then still holds it for evaluation
    only: learn from :meth:`known_segments`); ``unit`` (V,) str. ``oracle`` arrays are per snippet (ΣL, ...). ``seen``,
    None where they are the same: the segments that training sees in place of ``segments``, where labels are noisy.
    ``annotations``, None where there is but one annotator: what each of several said; ``segments`` and ``video_labels``
    are then made of them when the data are opened (:mod:`suite.tasks.localization.annotators`).
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
    seen: Segments | None = None
    annotations: Annotations | None = None

    @classmethod
    def by_annotators(
        cls,
        ids: np.ndarray,
        rows: Any,
        lengths: Sequence[int] | np.ndarray,
        annotators: Sequence[Segments],
        classes: int,
        seen: np.ndarray | None = None,
        **more: Any,
    ) -> Videos:
        """Videos that several ``annotators`` gave segments to, in the order of the card; ``more`` as in `annotated`.

        ``seen`` (V, A) bool says who looked at which video: all at all, by default. Segments are made of them when the
        data are opened; until then they are the majority's.
        """
        looked = np.ones((len(ids), len(annotators)), dtype=bool) if seen is None else seen
        held = Annotations.of(annotators, looked)
        segments = agreed(held.segments, held.annotator, held.seen.sum(axis=1) / 2)
        return replace(cls.annotated(ids, rows, lengths, segments, classes, **more), annotations=held)

    @classmethod
    def annotated(
        cls,
        ids: np.ndarray,
        rows: Any,
        lengths: Sequence[int] | np.ndarray,
        segments: Segments,
        classes: int,
        *,
        fps: float | np.ndarray,
        stride: float | np.ndarray,
        window: float | np.ndarray,
        duration: Sequence[float] | np.ndarray,
        unit: np.ndarray | None = None,
        oracle: Mapping[str, np.ndarray] | None = None,
    ) -> Videos:
        """Videos of ``lengths`` (V,) snippets that are all labelled; one number for fps, stride or window goes for all.

        Video-level labels are those of the segments; without ``unit`` every video is one of its own.
        """
        count, labels = len(ids), np.zeros((len(ids), classes), dtype=bool)
        labels[segments.video, segments.label] = True
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        each, step, sees = (
            np.array(np.broadcast_to(value, count), dtype=np.float64) for value in (fps, stride, window)
        )
        known, seconds = np.ones(count, dtype=bool), np.asarray(duration)
        unit = ids if unit is None else unit
        return cls(ids, rows, offsets, each, step, sees, seconds, labels, segments, known, unit, oracle or {})

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
        return read_at_once(self.rows[self.offsets[video] : self.offsets[video + 1]])

    def take(self, index: np.ndarray) -> Videos:
        """The videos at ``index``, with copies of their snippets."""
        index = np.asarray(index, dtype=np.int64)
        rows = np.concatenate([np.arange(self.offsets[v], self.offsets[v + 1]) for v in index] or [index])
        place = np.full(len(self), -1)
        place[index] = np.arange(len(index))
        columns = ("ids", "fps", "stride", "window", "duration", "video_labels", "labelled", "unit")
        return replace(
            self,
            **{name: getattr(self, name)[index] for name in columns},
            rows=self.rows[rows],
            offsets=np.concatenate([[0], np.cumsum(self.lengths[index])]),
            segments=_placed(self.segments, place),
            seen=None if self.seen is None else _placed(self.seen, place),
            annotations=None if self.annotations is None else self.annotations.take(index, place),
            oracle={name: values[rows] for name, values in self.oracle.items()},
        )

    def known_segments(self) -> Segments:
        """The segments of labelled videos: all that a method may learn from."""
        shown = self.segments if self.seen is None else self.seen
        return shown.take(np.flatnonzero(self.labelled[shown.video]))


def _placed(segments: Segments, place: np.ndarray) -> Segments:
    """The ``segments`` of the videos that have a new ``place`` (V,), which is -1 for the others."""
    kept = segments.take(place[segments.video] >= 0)
    return replace(kept, video=place[kept.video])
