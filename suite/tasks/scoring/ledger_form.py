"""Predictions in the ledger's form, made by others: what the table lacks is an error, what is odd in it is counted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import DataError
from suite.tasks.base import Task
from suite.tasks.data import TaskData
from suite.tasks.scoring.report import Oddity
from suite.tasks.scoring.scale import LOGITS, PROBABILITIES, Scale, converted
from suite.tasks.scoring.tables import names, need_columns, number_lists, numbers
from suite.tasks.storage.scores import score_lists

if TYPE_CHECKING:
    import pyarrow as pa


def clean_table(
    path: Path, table: pa.Table, served: Task, data: TaskData[Any], scores: str = ""
) -> tuple[pa.Table, list[Oddity]]:
    """The rows of the test split's items in ``table``, class scores on the task's scale, and what was odd.

    ``scores`` names the scale that the file's scores are on (empty: the task's). Class scores that are not finite
    become the lowest of the file, so that nothing is gained by them.

    Raises:
        DataError: a column is missing, or holds something else than the task's predictions do.
    """
    import pyarrow as pa

    wanted = list(served.to_rows(served.guess(data.test, len(data.classes)), data.test))
    need_columns(path, table, wanted, f"{served.name} predictions")
    items = np.array([str(name) for name in names(path, table, "item")], dtype=object)
    columns: dict[str, Any] = {}
    oddities: list[Oddity] = []
    for name in wanted:
        if name == "scores":
            found = number_lists(path, table, name, len(data.classes))
            values, odd = _class_scores(found, served, scores, items)
            columns[name], oddities = score_lists(values), [*oddities, *odd]
        elif name != "item":
            columns[name] = _whole(path, name, numbers(path, table, name))
    keep = _known_rows(items, data.test.ids, one_each="scores" in columns)
    kept = pa.table({"item": [str(item) for item in items], **columns}).take(np.flatnonzero(keep))
    return kept, [*_odd_items(items, data.test.ids, one_each="scores" in columns), *oddities]


def _whole(path: Path, name: str, values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        count = int((~np.isfinite(values)).sum())
        raise DataError(f"{path}: column '{name}' has {count} cells without a finite number: fill them")
    return values


def _class_scores(values: np.ndarray, served: Task, scores: str, items: np.ndarray) -> tuple[np.ndarray, list[Oddity]]:
    """Class scores (N, C) as the task wants them."""
    finite = np.isfinite(values.astype(np.float32))
    oddities = []
    if not finite.all():
        where = str(items[int((~finite).any(axis=1).argmax())])
        oddities.append(Oddity("score that is no finite number", int((~finite).sum()), "taken as the lowest", where))
        values = np.where(finite, values, values[finite].min() if finite.any() else 0.0)
    if scale := scores or served.scale:
        other = PROBABILITIES if scale == LOGITS else LOGITS
        advice = f"taken as {scale}; if they are {other}, say --scores {other}"
        oddities += Scale.named(scale).oddities(values, advice)
    if {scores, served.scale} == {LOGITS, PROBABILITIES}:
        values = converted(values, scores, served.scale)
    return values, oddities


def _known_rows(items: np.ndarray, ids: np.ndarray, one_each: bool) -> np.ndarray:
    """(N,) rows of items that are known; of rows for one item the last, where there is ``one_each``."""
    keep = np.isin(items.astype(str), ids.astype(str))
    if one_each:
        last = {item: place for place, item in enumerate(items.tolist())}
        keep &= np.isin(np.arange(len(items)), list(last.values()))
    return np.asarray(keep)


def _odd_items(items: np.ndarray, ids: np.ndarray, one_each: bool) -> list[Oddity]:
    unknown = sorted(set(items.tolist()) - set(ids.tolist()))
    found = [Oddity("unknown item", len(unknown), "ignored", unknown[0])] if unknown else []
    again = len(items) - len(set(items.tolist()))
    if one_each and again:
        called, counts = np.unique(items.astype(str), return_counts=True)
        found.append(Oddity("item that has more than one row", again, "the last one counts", called[counts.argmax()]))
    return found
