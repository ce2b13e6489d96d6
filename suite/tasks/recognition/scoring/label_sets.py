"""Sets of labels, or scores of all classes, in a csv with one row per clip: ``id,labels`` with labels as ``cut|slice``,
or ``id`` and a column per class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from suite.errors import DataError
from suite.tasks.scoring.contents import Contents, open_contents
from suite.tasks.scoring.joining import class_places
from suite.tasks.scoring.report import Oddity

LABELS = "labels"


@dataclass(frozen=True)
class LabelRows:
    """N clips: ``score`` (N, C) of ``classes``, 0 or 1 where sets were given (``scored`` is False)."""

    form: str
    item: tuple[str, ...]
    classes: tuple[str, ...]
    score: np.ndarray
    scored: bool


@dataclass(frozen=True)
class LabelTruth:
    """The label sets (N, C) of clips; ``known`` (N, C) which entries anybody knows, None where all are."""

    items: tuple[str, ...]
    classes: tuple[str, ...]
    truth: np.ndarray
    unit: tuple[str, ...]
    groups: Mapping[str, Sequence[int]] = field(default_factory=dict)
    oddities: tuple[Oddity, ...] = ()
    known: np.ndarray | None = None


def read_label_rows(contents: Contents) -> LabelRows | None:
    """The rows of a csv whose header begins with ``id``, or None; :class:`DataError` for a malformed row."""
    header = contents.header
    if contents.lines is None or len(header) < 2:
        return None
    body = contents.lines.rows[1:]
    items = tuple(row[0] for _, row in body)
    if header[1] != LABELS:
        if len(set(header)) < len(header) or "" in header:
            raise DataError(f"{contents.path}: the header names a class twice, or not at all: name each once")
        scores = contents.lines.numbers(skip=1)
        return LabelRows("class scores csv", items, tuple(header[1:]), scores, True)
    wrong = next((number for number, row in body if len(row) != len(header)), None)
    if wrong is not None:
        raise DataError(f"{contents.path}, line {wrong}: not the {len(header)} fields of the header; labels go a|b")
    sets = [{label for label in map(str.strip, row[1].split("|")) if label} for _, row in body]
    classes = tuple(sorted(set().union(*sets)))
    return LabelRows("label sets csv", items, classes, _indicator(sets, classes), False)


def label_truth(path: Path) -> LabelTruth:
    """The label sets of a csv ``id,labels``, a column ``unit`` (the video, which a bootstrap draws) if there is one.

    Raises :class:`DataError` for another form, a clip that stands there twice, or a clip without labels.
    """
    contents = open_contents(path)
    rows = read_label_rows(contents)
    if rows is None or rows.scored:
        raise DataError(f"{path} is no list of label sets: write a csv with the header id,labels and labels as a|b")
    if len(set(rows.item)) < len(rows.item) or not rows.score.any(axis=1).all():
        problem = "twice" if len(set(rows.item)) < len(rows.item) else "without labels"
        raise DataError(f"{path} has a clip {problem}: give each clip once, with its labels")
    place = contents.header.index("unit") if "unit" in contents.header else 0
    unit = contents.lines.column(place, skip=1) if contents.lines else ()
    return LabelTruth(rows.item, rows.classes, rows.score > 0, unit, oddities=tuple(contents.oddities))


def join_labels(rows: LabelRows, truth: LabelTruth) -> tuple[np.ndarray, list[Oddity]]:
    """(N, C + U) scores of the truth's clips, in its order: first its classes, then U that it does not know.

    A predicted label that the truth does not know is wrong, and counted; scores of such a class are ignored.
    """
    place = class_places(rows.classes, truth.classes, {name: number for number, name in enumerate(truth.classes)})
    strange = np.flatnonzero(place < 0)
    finite = np.isfinite(rows.score)
    score = np.where(finite, rows.score, rows.score[finite].min() if finite.any() else 0.0)
    last = {item: number for number, item in enumerate(rows.item)}
    row = np.array([last.get(item, -1) for item in truth.items], dtype=np.int64)
    kept = strange[:0] if rows.scored else strange
    columns = np.full((len(truth.items), len(truth.classes) + len(kept)), 0.0)
    given = row >= 0
    known = np.flatnonzero(place >= 0)
    columns[np.ix_(given, place[known])] = score[row[given]][:, known]
    if len(kept):
        columns[np.ix_(given, np.arange(len(truth.classes), columns.shape[1]))] = score[row[given]][:, kept]
    return columns, _oddities(rows, truth, strange, given, finite)


def _oddities(
    rows: LabelRows, truth: LabelTruth, strange: np.ndarray, given: np.ndarray, finite: np.ndarray
) -> list[Oddity]:
    unknown = np.array([item not in set(truth.items) for item in rows.item], dtype=bool)
    again = np.ones(len(rows.item), dtype=bool)
    again[np.unique(np.array(rows.item, dtype=str), return_index=True)[1]] = False
    uses = rows.score[:, strange].any(axis=1)
    strange_name = rows.classes[strange[0]] if len(strange) else ""
    treatment = "its column is ignored" if rows.scored else "counted as a wrong label"
    found = [
        Oddity.of("unknown item", unknown, "ignored", rows.item),
        Oddity.of("item without prediction", ~given, "scored as the empty set", truth.items),
        Oddity.of("item that has more than one row", again, "the last one counts", rows.item),
        Oddity("unknown label", len(strange) if rows.scored else int(uses.sum()), treatment, strange_name),
        Oddity("score that is no finite number", int((~finite).sum()), "taken as the lowest"),
    ]
    return [one for one in found if one.count]


def _indicator(sets: Sequence[set[str]], classes: Sequence[str]) -> np.ndarray:
    """(N, C) 1 where a set has the class."""
    place = {name: number for number, name in enumerate(classes)}
    found = np.zeros((len(sets), len(classes)))
    for row, labels in enumerate(sets):
        found[row, [place[label] for label in labels]] = 1.0
    return found
