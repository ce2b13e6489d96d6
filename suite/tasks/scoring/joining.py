"""Joining the names in a file of predictions with the classes of a truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from suite.evaluate.lookup import shuffling_key
from suite.evaluate.segments import Bools

BEYOND = 3.0
"""Frames come at ten a second and more: their numbers leave a video's length in seconds behind at a third of it."""


def class_places(labels: Sequence[str], classes: Sequence[str], numbers: Mapping[str, int]) -> np.ndarray:
    """Place of each label in ``classes``, by name or else by number; -1 for one that is neither."""
    places = {name: place for place, name in enumerate(classes)}
    for place, name in enumerate(classes):
        places.setdefault(str(numbers.get(name, place)), place)
    names, number = numbered(labels)
    return np.array([places.get(name, -1) for name in names], dtype=np.int64)[number]


def numbered(names: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The different ``names`` as they first occur, and (N,) which of them each is."""
    different = list(dict.fromkeys(names))
    place = {name: number for number, name in enumerate(different)}
    return different, np.fromiter(map(place.__getitem__, names), dtype=np.int64, count=len(names))


def label_codes(labels: Sequence[str], places: np.ndarray) -> np.ndarray:
    """One number per class; unknown ones (place -1) are distinguished by their names."""
    if not len(labels):
        return places
    names, called = numbered(labels)
    in_order = np.argsort(np.argsort(np.array(names, dtype=str)))  # by name: the order of rows must not decide anything
    return np.where(places >= 0, places, -1 - in_order[called])


def like_frames(time: np.ndarray, seconds: np.ndarray) -> Bools:
    """(N,) rows that lie far beyond the end of their video, if most do: their times are then frames, not seconds.

    ``seconds`` (N,) is how long the video of each row is, or when its last annotation ends; NaN where unknown.
    """
    known = np.isfinite(seconds) & np.isfinite(time)
    beyond = known & (time > BEYOND * np.where(known, seconds, np.inf))
    return beyond if 2 * int(beyond.sum()) > int(known.sum()) else np.zeros(len(time), dtype=bool)


def repeated(columns: Sequence[np.ndarray]) -> Bools:
    """(N,) rows that equal an earlier one in all columns."""
    keys = shuffling_key([np.asarray(column, dtype=np.float64) for column in columns])
    order = np.argsort(keys)
    same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    suspects = np.unique(order[np.concatenate([same, same + 1])])  # few: comparing whole rows is slow
    again = np.zeros(len(keys), dtype=bool)
    if len(suspects):
        table = np.column_stack([np.asarray(column, dtype=np.float64)[suspects] for column in columns])
        again[suspects] = True
        again[suspects[np.unique(table, axis=0, return_index=True)[1]]] = False
    return again
