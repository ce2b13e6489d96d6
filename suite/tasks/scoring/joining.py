"""Joining the names in a file of predictions with the classes of a truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from suite.evaluate.segments import Bools

BEYOND = 3.0
"""Frames come at ten a second and more: their numbers leave a video's length in seconds behind at a third of it."""


def class_places(labels: Sequence[str], classes: Sequence[str], numbers: Mapping[str, int]) -> np.ndarray:
    """Place of each label in ``classes``, by name or else by number; -1 for one that is neither."""
    places = {name: place for place, name in enumerate(classes)}
    for place, name in enumerate(classes):
        places.setdefault(str(numbers.get(name, place)), place)
    return np.array([places.get(label, -1) for label in labels], dtype=np.int64)


def label_codes(labels: Sequence[str], places: np.ndarray) -> np.ndarray:
    """One number per class; unknown ones (place -1) are distinguished by their names."""
    if not len(labels):
        return places
    called = np.unique(np.array(labels, dtype=str), return_inverse=True)[1].reshape(-1)
    return np.where(places >= 0, places, -1 - called)


def like_frames(time: np.ndarray, seconds: np.ndarray) -> Bools:
    """(N,) rows that lie far beyond the end of their video, if most do: their times are then frames, not seconds.

    ``seconds`` (N,) is how long the video of each row is, or when its last annotation ends; NaN where unknown.
    """
    known = np.isfinite(seconds) & np.isfinite(time)
    beyond = known & (time > BEYOND * np.where(known, seconds, np.inf))
    return beyond if 2 * int(beyond.sum()) > int(known.sum()) else np.zeros(len(time), dtype=bool)


def repeated(columns: Sequence[np.ndarray]) -> Bools:
    """(N,) rows that equal an earlier one in all columns."""
    table = np.column_stack([np.asarray(column, dtype=np.float64) for column in columns])
    again = np.ones(len(table), dtype=bool)
    if len(table):
        again[np.unique(table, axis=0, return_index=True)[1]] = False
    return again
