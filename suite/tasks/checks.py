"""Questions that tasks ask of a split: do lengths agree, do labels exist. Errors are :class:`DataError`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from suite.errors import DataError
from suite.tasks.data import Samples


def same_length(samples: Samples, split: str, fields: Iterable[str]) -> None:
    """Every one of ``fields`` has a row per sample."""
    for name in fields:
        found = len(getattr(samples, name))
        if found != len(samples):
            raise DataError(f"{split} has {len(samples)} ids but {found} rows of '{name}'; correct the reader.")


def known_labels(samples: Samples, split: str, owner: np.ndarray, label: np.ndarray, classes: int) -> None:
    """Every class number (M,) is one of ``classes``; ``owner`` (M,) says to which sample it belongs."""
    wrong = np.flatnonzero(~((label >= 0) & (label < classes)))  # NaN is wrong, too
    if len(wrong):
        name, number = samples.ids[owner[wrong[0]]], label[wrong[0]]
        raise DataError(
            f"'{name}' ({split}) has label {number}, outside the {classes} classes; correct its annotation or the "
            "class list."
        )


def column_per_class(samples: Samples, split: str, fields: Iterable[str], classes: int) -> None:
    """Every one of the tables ``fields`` (N, C) has a column per class."""
    for name in fields:
        shape = getattr(samples, name).shape
        if shape[1:] != (classes,):
            raise DataError(f"{split} '{name}' is {shape} for {classes} classes; correct the reader.")
