"""EPIC-Kitchens-100-SPMV: single verbs to train on, sets of verbs to test on, TSM features of two modalities.

Training segments and validation segments carry the one verb of EPIC-Kitchens-100. The part of the official validation
segments that annotators labelled with several verbs (SPMV) is the test; what is left of them is the hold-out on which
models are chosen. Features are stored by number: training segments sorted by (participant, video, segment), then the
validation segments in the same order.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from suite.data.readers.two_streams import TwoStreams
from suite.data.reading import Reader
from suite.errors import DataError
from suite.hyper import Value
from suite.spec.card import DatasetCard
from suite.tasks.data import TaskData
from suite.tasks.recognition.samples import Clips
from suite.tasks.recognition.single_positive import head_and_tail, one_hot

ANNOTATIONS = "epic-kitchens-100-annotations"
SPMV = "ek100-val-multiple-verbs-halfagree-halfconfident-include_original-20220427.csv"
RGB = "features/RGB/features_epoch_0020_{}_oneclip.pkl"
FLOW = "features/flow/features_epoch_0009_{}_oneclip.pkl"


def read(card: DatasetCard, folder: Path, dials: Mapping[str, Value], task: str) -> TaskData[Clips]:
    """Training segments, hold-out (validation without SPMV) and SPMV."""
    notes = folder / ANNOTATIONS
    classes = tuple(row["key"] for row in _table(notes / "EPIC_100_verb_classes.csv", ("id", "key")))
    train = read_single_verbs(notes / "EPIC_100_train.csv", len(classes))
    validation = read_single_verbs(notes / "EPIC_100_validation.csv", len(classes))
    verbs = read_verb_sets(folder / SPMV, len(classes))
    unknown = sorted(set(verbs) - set(validation))
    if unknown:
        raise DataError(f"{folder / SPMV}: '{unknown[0]}' is no validation segment; get the file again.")
    held_out = {name: verb for name, verb in validation.items() if name not in verbs}
    tested = {name: verb for name, verb in validation.items() if name in verbs}
    numbers = number_segments(train, validation)
    streams = {part: _streams(folder, part) for part in ("traindata_testmode", "val")}
    truth = np.stack([verbs[name] for name in tested]) if tested else np.zeros((0, len(classes)), dtype=bool)
    parts = {
        "train": _clips(train, numbers, streams["traindata_testmode"], len(classes)),
        "validation": _clips(held_out, numbers, streams["val"], len(classes)),
        "test": _clips(tested, numbers, streams["val"], len(classes), truth),
    }
    frequency = np.bincount(parts["train"].label, minlength=len(classes))
    facts = {"groups": _groups(notes, frequency), "complete": ["test"], "feature_halves": True, "unit": "segment"}
    return TaskData.of(card.name, task, classes, parts, facts)


def read_single_verbs(path: Path, classes: int) -> dict[str, int]:
    """Narration id to verb of an annotation file, in the order by which features are numbered."""
    verbs = {row["narration_id"]: row["verb_class"] for row in _table(path, ("narration_id", "verb_class"))}
    wrong = next((name for name, verb in verbs.items() if not verb.isdigit() or int(verb) >= classes), None)
    if wrong is not None:
        raise DataError(f"{path}: '{wrong}' has verb {verbs[wrong]}, outside the {classes} classes; get it again.")
    try:
        return {name: int(verbs[name]) for name in sorted(verbs, key=place_of)}
    except ValueError:
        raise DataError(f"{path} has a narration id that is not P01_101_7; get it again.") from None


def number_segments(train: Mapping[str, int], validation: Mapping[str, int]) -> dict[str, int]:
    """The number under which each segment's features are stored: training segments first, both sorted."""
    return {name: number for number, name in enumerate([*train, *validation])}


def read_verb_sets(path: Path, classes: int) -> dict[str, np.ndarray]:
    """Narration id to its set of verbs (C,) bool; ``verb_labels`` is a JSON list."""
    found = {}
    for row in _table(path, ("narration_id", "verb_labels")):
        try:
            verbs = np.array(json.loads(row["verb_labels"]), dtype=np.int64)
        except (ValueError, TypeError):
            verbs = np.empty(0, dtype=np.int64)
        if not len(verbs) or verbs.min() < 0 or verbs.max() >= classes:
            raise DataError(
                f"{path}: '{row['narration_id']}' has verbs {row['verb_labels']}, not a list of the {classes} classes; "
                "get it again."
            )
        found[row["narration_id"]] = np.isin(np.arange(classes), verbs)
    return found


def place_of(narration: str) -> list[int]:
    """Participant, video and segment of ``P01_101_7``, by which features are numbered; ValueError for another form."""
    return [int(part) for part in narration.removeprefix("P").split("_")]


def _table(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); clone the annotations there.") from None
    if not rows or any(rows[0].get(column) is None for column in columns):
        raise DataError(f"{path} lacks the columns {' and '.join(columns)}; get it again.")
    return rows


def _streams(folder: Path, part: str) -> TwoStreams:
    return TwoStreams(folder / RGB.format(part), folder / FLOW.format(part))


def _groups(notes: Path, frequency: np.ndarray) -> dict[str, list[int]]:
    """Head and tail verbs: the official list where it is there, else what its definition gives."""
    path = notes / "EPIC_100_tail_verbs.csv"
    if not path.is_file():
        return head_and_tail(frequency)
    tail = sorted(int(row["verb"]) for row in _table(path, ("verb",)))
    return {"head": sorted(set(range(len(frequency))) - set(tail)), "tail": tail}


def _clips(
    segments: Mapping[str, int],
    numbers: Mapping[str, int],
    streams: TwoStreams,
    classes: int,
    truth: np.ndarray | None = None,
) -> Clips:
    """Segments with their features; without ``truth`` they show their single verb."""
    names = np.array(list(segments))
    label = np.array(list(segments.values()), dtype=np.int64)
    rows: Any = streams.rows(np.array([numbers[name] for name in segments], dtype=np.int64))
    return Clips(names, rows, label, one_hot(label, classes) if truth is None else truth, names)


READER = Reader(read)
