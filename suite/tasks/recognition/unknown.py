"""Positive, negative, unknown: how tables of labels say what nobody said, and what such tables must satisfy.

NaN in a table (or -1 in a table of integers) is a label that nobody gave. Whether a dataset has such labels is for its
card to declare, by the dial ``missing``: a NaN that nobody declared is a damaged file, and in no case a negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from suite.errors import DataError
from suite.tasks.data import TaskData
from suite.tasks.recognition.samples import Clips
from suite.tasks.recognition.single_positive import one_hot


def settle_unknown(data: TaskData[Clips], dials: Mapping[str, Any]) -> TaskData[Clips]:
    """``data`` whose truth is bool, with a mask ``known`` where entries of it are unknown.

    Raises:
        DataError: an entry is unknown and the dial ``missing`` is not ``unknown``, or it is no label at all (0.3, 2).
    """
    declared = dials.get("missing", "error") == "unknown"

    def settle(split: str) -> Clips:
        clips: Clips = data.split(split)
        return _settled(clips, f"{data.name}: {split} 'truth'", declared)

    return replace(data, train=settle("train"), validation=settle("validation"), test=settle("test"))


def _settled(clips: Clips, where: str, declared: bool) -> Clips:
    truth = np.asarray(clips.truth)
    if clips.known is not None and np.all(clips.known):
        clips = replace(clips, known=None)  # numbers are then those of data without a mask, to the last bit
    if truth.dtype == bool or truth.shape[:1] != (len(clips),):
        return clips  # of wrong shapes the checks that follow tell
    unknown = np.isnan(truth) if truth.dtype.kind == "f" else truth == -1
    _refuse(~unknown & (truth != 0) & (truth != 1), truth, "neither 0 nor 1; correct the file", where, clips.ids)
    if not declared:
        remedy = "correct the file, or declare it with a dial missing=unknown in the card"
        _refuse(unknown, truth, f"neither present nor absent; {remedy}", where, clips.ids)
    if not unknown.any():
        return replace(clips, truth=truth == 1)
    known = ~unknown if clips.known is None else np.asarray(clips.known, dtype=bool) & ~unknown
    return replace(clips, truth=truth == 1, known=known)


def _refuse(wrong: np.ndarray, truth: np.ndarray, said: str, where: str, ids: np.ndarray) -> None:
    """Raise :class:`DataError` for the first ``wrong`` entry, naming its sample and how many more there are."""
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        others = f" and {int(wrong.sum()) - 1} more entries" if wrong.sum() > 1 else ""
        value = truth[row][wrong[row]].flat[0]
        raise DataError(f"{where} of '{ids[row]}' ({value:g}){others}: {said}.")


def check_unknown(clips: Clips, split: str) -> None:
    """Raise :class:`DataError` when ``known``, ``target`` or ``annotations`` contradict the clips or each other."""
    for name in ("known", "target"):
        table = getattr(clips, name)
        if table is not None and table.shape != clips.truth.shape:
            raise DataError(f"{split} '{name}' is {table.shape}, not {clips.truth.shape}; correct the reader.")
    said = clips.annotations
    if said is not None and (said.shape[::2] != clips.truth.shape or not np.isin(said, (-1, 0, 1)).all()):
        raise DataError(f"{split} 'annotations' must be (clips, annotators, classes) of -1, 0 and 1; correct them.")
    if clips.target is not None and not ((clips.target >= 0) & (clips.target <= 1)).all():
        raise DataError(f"{split} 'target' has values outside [0, 1]; correct the reader.")
    if clips.known is None:
        return
    if clips.known.dtype != bool:
        raise DataError(f"{split} 'known' is {clips.known.dtype}, not bool; correct the reader.")
    single = one_hot(clips.label, clips.truth.shape[1])
    for name, present in (("truth", clips.truth), ("label", single), ("target", clips.annotated)):
        wrong = np.flatnonzero((present & ~clips.known).any(axis=1))
        if len(wrong):
            item = clips.ids[wrong[0]]
            raise DataError(f"'{item}' ({split}) has a '{name}' in a class that is unknown; correct the reader.")
