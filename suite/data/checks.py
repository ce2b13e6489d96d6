"""What every dataset must satisfy, whatever its reader: finite features, labels that exist, disjoint splits."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from suite.data.samples import Clips, TaskData, Videos
from suite.data.storage.store import Check
from suite.errors import DataError

SPLITS = ("train", "validation", "test")
FEATURES = ("features", "rows")


def is_features(key: str) -> bool:
    """Whether a stored array holds features: ``train.features``, ``test.rows``."""
    split, _, field = key.partition(".")
    return split in SPLITS and field in FEATURES


def finite_features(data: TaskData[Any]) -> Check:
    """A check of stored blocks: :class:`DataError` names dataset, split and item of a value that is not finite."""

    def check(key: str, start: int, block: np.ndarray) -> None:
        if (
            not is_features(key)
            or block.size == 0
            or np.isfinite(block.sum(dtype=np.float64))
            or np.isfinite(block).all()
        ):
            return
        finite = np.isfinite(block.reshape(len(block), -1)).all(axis=1)
        row, split = start + int(np.argmin(finite)), key.partition(".")[0]
        raise DataError(
            f"{data.name}: the features of '{_item(data.split(split), row)}' ({split}) hold values that are not finite "
            f"in {block.dtype}; replace that item's feature file (suite data verify {data.name} names damaged files)."
        )

    return check


def _item(samples: Any, row: int) -> str:
    place = int(np.searchsorted(samples.offsets, row, side="right")) - 1 if isinstance(samples, Videos) else row
    return str(samples.ids[place])


def check_task_data(data: TaskData[Any]) -> None:
    """Raise :class:`DataError` when labels lie outside the class list, lengths disagree, or splits share a unit."""
    for split in SPLITS:
        samples = data.split(split)
        _check_lengths(data, split, samples)
        _check_labels(data, split, samples)
    for one, other in combinations(SPLITS, 2):
        if {one, other} == {"validation", "test"} and data.facts.get("validation_is_test"):
            continue
        shared = np.intersect1d(data.split(one).unit, data.split(other).unit)
        if len(shared):
            raise DataError(
                f"{data.name}: '{shared[0]}' is in both {one} and {other}; correct the split files or the reader."
            )


def _check_lengths(data: TaskData[Any], split: str, samples: Any) -> None:
    names = ("features", "label", "truth", "unit") if isinstance(samples, Clips) else ("unit", "labelled")
    for name in names:
        if len(getattr(samples, name)) != len(samples):
            found = len(getattr(samples, name))
            raise DataError(
                f"{data.name}: {split} has {len(samples)} ids but {found} rows of '{name}'; mend the reader."
            )
    if isinstance(samples, Videos) and int(samples.offsets[-1]) != len(samples.rows):
        total = int(samples.offsets[-1])
        raise DataError(f"{data.name}: {split} videos claim {total} snippets of {len(samples.rows)}; mend the reader.")


def _check_labels(data: TaskData[Any], split: str, samples: Any) -> None:
    count = len(data.classes)
    for owners, labels in _label_columns(samples):
        wrong = np.flatnonzero((labels < 0) | (labels >= count))
        if len(wrong):
            raise DataError(
                f"{data.name}: '{samples.ids[owners[wrong[0]]]}' ({split}) has label {labels[wrong[0]]}, outside the "
                f"{count} classes; correct its annotation or the class list."
            )
    for name in ("truth", "video_labels", "labels", "truth_labels"):
        table = getattr(samples, name, None)
        if table is not None and table.shape[1:] != (count,):
            raise DataError(f"{data.name}: {split} '{name}' is {table.shape} for {count} classes; mend the reader.")


def _label_columns(samples: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of (index of the item, its label) for every column of class numbers."""
    if isinstance(samples, Clips):
        return [(np.arange(len(samples)), samples.label)]
    return [(samples.segments.video, samples.segments.label)] if isinstance(samples, Videos) else []
