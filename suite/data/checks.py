"""What every dataset must satisfy, whatever its reader: finite features, disjoint splits, and what its task asks."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np

from suite.data.storage.store import Check
from suite.errors import DataError
from suite.tasks import Task, task
from suite.tasks.checks import same_length
from suite.tasks.data import SPLITS, TaskData
from suite.telling import Tell


def features_keys(served: Task) -> set[str]:
    """The stored arrays that hold features: ``train.features``, ``test.rows``."""
    return {f"{split}.{served.features}" for split in SPLITS}


def finite_features(data: TaskData[Any]) -> Check:
    """A check of stored blocks: :class:`DataError` names dataset, split and item of a value that is not finite."""
    served = task(data.task)
    keys = features_keys(served)

    def check(key: str, start: int, block: np.ndarray) -> None:
        if key not in keys or block.size == 0 or np.isfinite(block.sum(dtype=np.float64)) or np.isfinite(block).all():
            return
        finite = np.isfinite(block.reshape(len(block), -1)).all(axis=1)
        row, split = start + int(np.argmin(finite)), key.partition(".")[0]
        raise DataError(
            f"{data.name}: the features of '{served.item(data.split(split), row)}' ({split}) hold values that are not "
            f"finite in {block.dtype}; replace that item's feature file (suite data verify {data.name} names damaged "
            "files)."
        )

    return check


def with_progress(check: Check, data: TaskData[Any], dtype: str, tell: Tell) -> Check:
    """``check`` that also tells how much of the features, stored as ``dtype``, it has seen."""
    served = task(data.task)
    keys, done = features_keys(served), 0
    # By identity: splits that share their features are read once.
    arrays = {id(own): own for own in (getattr(data.split(split), served.features) for split in SPLITS)}
    total = sum(math.prod(own.shape) for own in arrays.values()) * np.dtype(dtype).itemsize

    def checked(key: str, start: int, block: np.ndarray) -> None:
        nonlocal done
        check(key, start, block)
        done += block.nbytes if key in keys else 0
        tell("packing: MiB", done >> 20, total >> 20)

    return checked


def check_kinds(data: TaskData[Any]) -> None:
    """Raise :class:`DataError` when a split does not hold the samples of its task."""
    served = task(data.task)
    for split in SPLITS:
        if type(data.split(split)) is not served.samples:
            given, wanted = type(data.split(split)).__name__, served.samples.__name__
            raise DataError(f"{data.name}: {split} is {given}, but {served.name} needs {wanted}; correct the reader.")


def check_task_data(data: TaskData[Any]) -> None:
    """Raise :class:`DataError` when a split is not what its task wants, or splits share a unit."""
    check_kinds(data)
    for split in SPLITS:
        _check_split(data, split, task(data.task))
    for one, other in combinations(SPLITS, 2):
        if {one, other} == {"validation", "test"} and data.facts.get("validation_is_test"):
            continue
        shared = np.intersect1d(data.split(one).unit, data.split(other).unit)
        if len(shared):
            raise DataError(
                f"{data.name}: '{shared[0]}' is in both {one} and {other}; correct the split files or the reader."
            )


def _check_split(data: TaskData[Any], split: str, served: Task) -> None:
    samples: Any = data.split(split)
    try:
        same_length(samples, split, ("unit",))
        served.check(samples, split, len(data.classes))
    except DataError as error:
        raise DataError(f"{data.name}: {error}") from None
