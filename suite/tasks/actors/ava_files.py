"""The csv files and label maps in which AVA is published: boxes with labels, detected boxes, excluded key frames."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from suite.errors import DataError
from suite.tasks.actors.tables import BoxTable


def label_map(path: Path) -> tuple[dict[int, str], set[int]]:
    """Class id to name, in the file's order, and the ids of poses (person movements, where the file says so).

    Takes both published forms: ``label { name label_id label_type }`` and ``item { name id }``.
    Raises :class:`DataError` when the file names no class.
    """
    text = path.read_text(encoding="utf-8-sig")
    names: dict[int, str] = {}
    poses: set[int] = set()
    for entry in re.findall(r"(?:label|item)\s*\{(.*?)\}", text, flags=re.DOTALL):
        name, number = re.search(r'name:\s*"(.*?)"', entry), re.search(r"\b(?:label_)?id:\s*(\d+)", entry)
        if name is None or number is None:
            continue
        names[int(number[1])] = name[1]
        if "PERSON_MOVEMENT" in entry:
            poses.add(int(number[1]))
    if not names:
        raise DataError(f"{path} names no class; get the label map again.")
    return names, poses or {number for number in names if number <= 14}


def read_annotations(path: Path, class_ids: Sequence[int]) -> BoxTable:
    """The annotated boxes of one file, one row per person with all its labels, in the file's order.

    Rows that share video, second, box and (v2) person are one person. Labels outside ``class_ids`` are dropped, and
    with them people who have no other. Raises :class:`DataError` naming the line of a malformed row.
    """
    column = {number: place for place, number in enumerate(class_ids)}
    people: dict[tuple[str, ...], set[int]] = {}
    for number, row in _rows(path):
        second = _second_text(row[1]) if len(row) in (7, 8) else ""
        if not second or not re.fullmatch(r"\s*[0-9]{1,9}\s*", row[6]):
            raise DataError(f"{path}, line {number}: not video, second, x1, y1, x2, y2, action; get the file again.")
        key = (row[0], second, *row[2:6], row[7] if len(row) == 8 else "")
        found = people.setdefault(key, set())
        if int(row[6]) in column:
            found.add(column[int(row[6])])
    kept = [(key, found) for key, found in people.items() if found]
    labels = np.zeros((len(kept), len(column)), dtype=bool)
    for place, (_, found) in enumerate(kept):
        labels[place, sorted(found)] = True
    return _table(path, [key for key, _ in kept], labels, np.ones(len(kept)))


def read_detections(path: Path, classes: int, threshold: float) -> BoxTable:
    """A person detector's boxes with a score of at least ``threshold``: video, second, x1, y1, x2, y2, label, score."""
    rows = [row for number, row in _rows(path) if _detection(path, number, row) >= threshold]
    keys = [(row[0], _second_text(row[1]), *row[2:6]) for row in rows]
    return _table(path, keys, np.zeros((len(rows), classes), dtype=bool), np.array([float(row[-1]) for row in rows]))


def read_exclusions(path: Path) -> set[tuple[str, float]]:
    """(video, second) of key frames that count neither as truth nor against a detector."""
    found = set()
    for number, row in _rows(path):
        second = _second_text(row[1]) if len(row) > 1 else ""
        if not second:
            raise DataError(f"{path}, line {number}: not video, second; get the file again.")
        found.add((row[0], float(row[1])))
    return found


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Line number and fields of every line that is not empty, tab or comma separated."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # a byte order mark would become part of the first video's name
        delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
        return [(n, row) for n, row in enumerate(csv.reader(text.splitlines(), delimiter=delimiter), start=1) if row]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; put the published file there.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no text of rows ({error}); get the file again.") from None


def _detection(path: Path, number: int, row: list[str]) -> float:
    try:
        if len(row) >= 7:
            return float(row[-1])
    except ValueError:
        pass
    raise DataError(f"{path}, line {number}: not video, second, x1, y1, x2, y2, label, score; get the file again.")


def _second_text(text: str) -> str:
    """A second as it is written shortest; empty for what is no number."""
    try:
        return f"{float(text):g}"
    except ValueError:
        return ""


def _table(path: Path, keys: Sequence[tuple[str, ...]], labels: np.ndarray, score: np.ndarray) -> BoxTable:
    try:
        numbers = np.array([[float(value) for value in key[1:6]] for key in keys], dtype=np.float64).reshape(-1, 5)
    except ValueError as error:
        raise DataError(f"{path}: a second or a coordinate is not a number ({error}); get the file again.") from None
    if not np.isfinite(numbers).all():
        raise DataError(f"{path}: a second or a coordinate is not a finite number; get the file again.")
    return BoxTable(np.array([key[0] for key in keys], dtype=str), numbers[:, 0], numbers[:, 1:], labels, score)
