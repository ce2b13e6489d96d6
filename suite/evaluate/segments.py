"""Temporal segments as parallel columns: the one form in which every temporal evaluator takes truth and predictions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from suite.errors import UsageError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Verdicts = NDArray[np.int32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Segments:
    """N segments, one per row. Times in seconds (or any one unit), ``video`` and ``label`` any integers.

    ``score`` (N,) is None for ground truth. Columns are converted on construction (int64, float64).

    Raises:
        UsageError: columns of different lengths.
    """

    video: Ints
    label: Ints
    start: Floats
    end: Floats
    score: Floats | None = None

    def __post_init__(self) -> None:
        for name in ("video", "label"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.int64).reshape(-1))
        for name in ("start", "end", "score"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64).reshape(-1))
        lengths = {
            field.name: len(column) for field in fields(self) if (column := getattr(self, field.name)) is not None
        }
        if len(set(lengths.values())) > 1:
            raise UsageError(
                f"segments need columns of one length, not {lengths}: give one value per row in every column"
            )

    def __len__(self) -> int:
        return len(self.video)

    @property
    def length(self) -> Floats:
        """(N,) ``end - start``; negative for a reversed segment."""
        return self.end - self.start

    def take(self, rows: ArrayLike) -> Segments:
        """The rows named by an index array or a boolean mask."""
        chosen = np.asarray(rows)
        score = None if self.score is None else self.score[chosen]
        return Segments(self.video[chosen], self.label[chosen], self.start[chosen], self.end[chosen], score)

    @staticmethod
    def empty(scored: bool = False) -> Segments:
        """No segment at all (a method may well predict nothing)."""
        nothing, moment = np.zeros(0, dtype=np.int64), np.zeros(0)
        return Segments(nothing, nothing, moment, moment, moment if scored else None)

    @staticmethod
    def of_rows(rows: Iterable[Sequence[float]]) -> Segments:
        """One segment per row of video, label, start and end."""
        return Segments(*np.array(list(rows), dtype=np.float64).reshape(-1, 4).T)

    @staticmethod
    def concatenate(parts: Sequence[Segments]) -> Segments:
        """The rows of all parts, in their order; scores are kept when every part has them."""
        if not parts:
            return Segments.empty()
        scores = [part.score for part in parts if part.score is not None]
        return Segments(
            np.concatenate([part.video for part in parts]),
            np.concatenate([part.label for part in parts]),
            np.concatenate([part.start for part in parts]),
            np.concatenate([part.end for part in parts]),
            np.concatenate(scores) if len(scores) == len(parts) else None,
        )


def required_score(predictions: Segments) -> Floats:
    """The score column of predictions.

    Raises:
        UsageError: no score column, or scores that are not numbers (they have no rank).
    """
    if predictions.score is None:
        raise UsageError("predictions have no score column: rank them by giving Segments(..., score=...)")
    if (missing := int(np.isnan(predictions.score).sum())) > 0:
        raise UsageError(f"{missing} predictions have a score that is not a number: drop those rows before scoring")
    return predictions.score


def index_names(names: Iterable[str], known: Sequence[str], grow: bool = False) -> tuple[Ints, list[str]]:
    """Turn names into positions in ``known``.

    Unknown names become -1, or are appended to the vocabulary when ``grow``.

    Returns:
        positions (N,) and the vocabulary (``known``, longer if it grew).
    """
    vocabulary = list(known)
    position = {name: index for index, name in enumerate(vocabulary)}
    found = []
    for name in names:
        if name not in position and grow:
            position[name] = len(vocabulary)
            vocabulary.append(name)
        found.append(position.get(name, -1))
    return np.asarray(found, dtype=np.int64).reshape(-1), vocabulary


def tiou(start: ArrayLike, end: ArrayLike, other_start: ArrayLike, other_end: ArrayLike, plus: float = 0.0) -> Floats:
    """Temporal intersection over union, elementwise with broadcasting.

    Intersection is clipped at 0, union is the sum of lengths minus the intersection; 0 where the union is not positive.
    ``plus`` is added to every length and to the intersection (the "+1" convention of some suppression codes; see
    :mod:`suite.evaluate.suppression`).
    """
    start, end = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    other_start, other_end = np.asarray(other_start, dtype=np.float64), np.asarray(other_end, dtype=np.float64)
    shared = np.maximum(0.0, np.minimum(end, other_end) - np.maximum(start, other_start) + plus)
    union = (end - start + plus) + (other_end - other_start + plus) - shared
    return np.divide(shared, union, out=np.zeros(np.broadcast(shared, union).shape), where=union > 0)


def without_duplicates(truth: Segments, tolerance: float) -> Bools:
    """(N,) mask that drops a row when an earlier kept row of its video and label has both ends within ``tolerance``.

    The rule of ActionFormer's reader; "earlier" is the order of the rows, so the first one written stays.
    """
    keep = np.ones(len(truth), dtype=bool)
    order = np.lexsort((truth.start, truth.label, truth.video))
    near = (np.diff(truth.video[order]) == 0) & (np.diff(truth.label[order]) == 0)
    near &= np.diff(truth.start[order]) <= tolerance
    crowded = np.zeros(len(order), dtype=bool)
    crowded[1:] |= near
    crowded[:-1] |= near
    kept: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for row in np.sort(order[crowded]):
        start, end = float(truth.start[row]), float(truth.end[row])
        earlier = kept.setdefault((int(truth.video[row]), int(truth.label[row])), [])
        keep[row] = not any(abs(start - a) <= tolerance and abs(end - b) <= tolerance for a, b in earlier)
        if keep[row]:
            earlier.append((start, end))
    return keep
