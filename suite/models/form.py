"""The form of a dataset without its content: what a network is built for, as JSON, and data of that form.

A method builds its network from data: channels, classes, now and then the number of training samples. A kept model
carries these, so that it loads where the dataset is not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from typing import Any

import numpy as np

from suite.data.video import ClipSource
from suite.evaluate.segments import Segments
from suite.tasks import task
from suite.tasks.data import SPLITS, TaskData

Form = dict[str, Any]

_NONE = Segments(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
FEW = 8  # rows of data that only say how wide they are
LONGEST = 200_000  # characters of a fact that goes along: constants do, arrays over samples do not
SAMPLING = ("frames", "rate", "fps", "short_side", "pattern")  # of clips of pixels


def form_of(data: TaskData[Any]) -> Form:
    """Classes, facts, and the shapes and kinds of the columns of each split."""
    facts = {name: value for name, value in map(_plain, data.facts.items()) if value is not None}
    splits = {name: _columns(data.split(name)) for name in SPLITS}
    return {"classes": list(data.classes), "facts": facts, "splits": splits, "timing": _timing(data.test)}


def stand_in(name: str, served: str, form: Form, protocol: str, *, whole: bool = False) -> TaskData[Any]:
    """Data of the form, all zeros: ``FEW`` samples a split, or, where ``whole``, as many as there were.

    Nothing is held in memory for them either way.
    """
    kind = task(served).samples
    splits = {split: _samples(kind, form["splits"][split], whole) for split in SPLITS}
    return replace(TaskData.of(name, served, form["classes"], splits, form["facts"]), protocol=protocol)


def fill(kind: type[Any], columns: Form, given: Mapping[str, Any], count: int) -> Any:
    """``count`` samples of ``kind``: the columns ``given``, zeros for those of one row per sample, nothing else."""
    made: dict[str, Any] = {}
    for field in fields(kind):
        column = columns.get(field.name, {})
        if field.name in given:
            made[field.name] = given[field.name]
        elif "shape" in column:
            made[field.name] = np.zeros((count, *column["shape"][1:]), dtype=np.dtype(column["dtype"]))
        elif field.default is MISSING and field.default_factory is MISSING:
            made[field.name] = None
    return kind(**made)


def _plain(fact: tuple[str, Any]) -> tuple[str, Any]:
    name, value = fact
    try:
        text = json.dumps(value, default=lambda array: np.asarray(array).tolist())
    except (TypeError, ValueError):
        return name, None
    return name, json.loads(text) if len(text) <= LONGEST else None


def _timing(samples: Any) -> dict[str, float]:
    """Of videos: frames per second, frames between snippets, frames that a snippet sees, in the median."""
    names = ("fps", "stride", "window")
    if not len(samples) or not all(hasattr(samples, name) for name in names):
        return {}
    return {name: float(np.median(getattr(samples, name))) for name in names}


def _columns(samples: Any) -> Form:
    found: Form = {"": {"count": len(samples)}}
    for field in fields(samples):
        value = getattr(samples, field.name)
        if isinstance(value, ClipSource):
            found[field.name] = {"clips": {name: getattr(value, name) for name in SAMPLING}}
        elif isinstance(value, Segments):
            found[field.name] = {"segments": True}
        elif hasattr(value, "shape") and hasattr(value, "dtype"):
            found[field.name] = {"shape": [int(size) for size in value.shape], "dtype": np.dtype(value.dtype).str}
    return found


def _samples(kind: type[Any], columns: Form, whole: bool) -> Any:
    made: dict[str, Any] = {}
    for field in fields(kind):
        column = columns.get(field.name, {})
        if "shape" in column:
            length, *rest = column["shape"]
            shape = (length if whole else min(length, FEW), *rest)
            made[field.name] = np.broadcast_to(np.zeros((), dtype=np.dtype(column["dtype"])), shape)
        elif "clips" in column:
            made[field.name] = ClipSource(np.zeros(FEW, dtype=str), np.zeros(FEW, dtype=np.int64), **column["clips"])
        elif "segments" in column:
            made[field.name] = _NONE
        elif field.default is MISSING and field.default_factory is MISSING:
            made[field.name] = None
    return kind(**made)
