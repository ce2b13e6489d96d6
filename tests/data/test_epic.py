"""The EPIC-Kitchens-100-SPMV reader on files of the published layout, real validation segments among them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from suite.data import find_card, load
from suite.data.checks import check_task_data
from suite.data.readers import epic
from suite.data.storage.rows import blocks_of
from suite.errors import DataError
from suite.tasks.data import TaskData
from tests.data.published import CHANNELS, feature_of, write_features

REAL = Path(os.environ.get("SUITE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data") / "epic100"
# Sorted by participant, video and segment as numbers: neither as text nor as the files list them.
TRAIN = {"P02_01_0": 0, "P01_101_2": 1, "P01_101_10": 2, "P01_09_3": 3, "P10_02_1": 0}
VALIDATION = {"P01_11_10": 1, "P01_11_9": 0, "P02_12_1": 3, "P01_11_0": 2}
SPMV = {"P02_12_1": [3, 1], "P01_11_9": [0]}
TRAIN_ORDER = ["P01_09_3", "P01_101_2", "P01_101_10", "P02_01_0", "P10_02_1"]
VALIDATION_ORDER = ["P01_11_0", "P01_11_9", "P01_11_10", "P02_12_1"]


def write_annotations(folder: Path, name: str, verbs: dict[str, int]) -> None:
    notes = folder / epic.ANNOTATIONS
    notes.mkdir(parents=True, exist_ok=True)
    lines = ["narration_id,narration,verb_class", *(f'{i},"put, slowly",{verb}' for i, verb in verbs.items())]
    (notes / name).write_text("\n".join(lines) + "\n")


def write_spmv(folder: Path, verbs: dict[str, list[int]]) -> None:
    lines = ["narration_id,verb_labels", *(f'{i},"{json.dumps(found)}"' for i, found in verbs.items())]
    (folder / epic.SPMV).write_text("\n".join(lines) + "\n")


def publish(folder: Path, classes: int = 4) -> Path:
    write_annotations(folder, "EPIC_100_train.csv", TRAIN)
    write_annotations(folder, "EPIC_100_validation.csv", VALIDATION)
    names = "\n".join(f"{i},verb{i},\"['verb{i}']\",group" for i in range(classes))
    (folder / epic.ANNOTATIONS / "EPIC_100_verb_classes.csv").write_text(f"id,key,instances,category\n{names}\n")
    write_spmv(folder, SPMV)
    write_all_features(folder, len(TRAIN), len(VALIDATION))
    return folder


def write_all_features(folder: Path, train: int, validation: int) -> None:
    ids = {"traindata_testmode": np.arange(train), "val": train + np.arange(validation)}
    for part, numbers in ids.items():
        write_features(folder / epic.RGB.format(part), numbers, 0.0)
        write_features(folder / epic.FLOW.format(part), numbers, 0.5, frames=8)


def _read(folder: Path) -> TaskData:
    return epic.read(find_card("epic-kitchens-100-spmv"), folder, {}, "recognition")


def test_segments_and_features_meet(tmp_path: Path) -> None:
    data = _read(publish(tmp_path))
    assert data.classes == ("verb0", "verb1", "verb2", "verb3")
    assert data.train.ids.tolist() == TRAIN_ORDER
    assert data.train.label.tolist() == [TRAIN[name] for name in TRAIN_ORDER]
    assert data.validation.ids.tolist() == ["P01_11_0", "P01_11_10"]
    assert data.test.ids.tolist() == ["P01_11_9", "P02_12_1"]
    order = [*TRAIN_ORDER, *VALIDATION_ORDER]
    for clips in (data.train, data.validation, data.test):
        rows = np.concatenate(list(blocks_of(clips.features)))
        numbers = [order.index(name) for name in clips.ids]
        np.testing.assert_allclose(rows[:, :CHANNELS], [feature_of(i, 0.0) for i in numbers], rtol=1e-5)
        np.testing.assert_allclose(rows[:, CHANNELS:], [feature_of(i, 0.5) for i in numbers], rtol=1e-5)
    check_task_data(data)


def test_single_verbs_to_learn_from_sets_to_test_on(tmp_path: Path) -> None:
    data = _read(publish(tmp_path))
    np.testing.assert_array_equal(data.test.truth, [[True, False, False, False], [False, True, False, True]])
    assert (data.train.truth.sum(axis=1) == 1).all() and (data.validation.truth.sum(axis=1) == 1).all()
    assert data.facts["complete"] == ["test"]


def test_tail_verbs_are_the_official_ones_where_they_are_there(tmp_path: Path) -> None:
    publish(tmp_path)
    assert _read(tmp_path).facts["groups"]["tail"] == [1]  # of 5 labels the tail holds at most one
    (tmp_path / epic.ANNOTATIONS / "EPIC_100_tail_verbs.csv").write_text("verb\n2\n0\n")
    assert _read(tmp_path).facts["groups"] == {"head": [1, 3], "tail": [0, 2]}


@pytest.mark.parametrize(
    ("verbs", "match"),
    [
        ({"P01_11_9": [0, 4]}, "not a list"),
        ({"P01_11_9": []}, "not a list"),
        ({"P09_11_9": [0]}, "no validation"),
    ],
)
def test_wrong_verb_sets_are_named(tmp_path: Path, verbs: dict[str, list[int]], match: str) -> None:
    write_spmv(publish(tmp_path), verbs)
    with pytest.raises(DataError, match=match):
        _read(tmp_path)


def test_wrong_annotations_are_named(tmp_path: Path) -> None:
    publish(tmp_path)
    write_annotations(tmp_path, "EPIC_100_train.csv", {**TRAIN, "P01_09_4": 9})
    with pytest.raises(DataError, match="'P01_09_4' has verb 9"):
        _read(tmp_path)
    write_annotations(tmp_path, "EPIC_100_train.csv", {"segment-7": 1})
    with pytest.raises(DataError, match="narration id"):
        _read(tmp_path)


def test_missing_features_are_named(tmp_path: Path) -> None:
    publish(tmp_path)
    write_all_features(tmp_path, len(TRAIN), len(VALIDATION) - 1)
    with pytest.raises(DataError, match="no features of clip 8"):
        _read(tmp_path)


@pytest.mark.skipif(not (REAL / "EPIC_100_validation.csv").is_file(), reason=f"EPIC annotations are not in {REAL}")
def test_real_validation_segments(tmp_path: Path) -> None:
    folder = tmp_path / "EPIC_KITCHENS_100"
    notes = folder / epic.ANNOTATIONS
    notes.mkdir(parents=True)
    for name in ("EPIC_100_validation.csv", "EPIC_100_verb_classes.csv"):
        (notes / name).write_bytes((REAL / name).read_bytes())
    segments = epic.read_single_verbs(notes / "EPIC_100_validation.csv", 97)
    assert (len(segments), len(set(segments.values()))) == (9668, 78)
    write_annotations(folder, "EPIC_100_train.csv", TRAIN)
    generator = np.random.default_rng(0)
    chosen = generator.choice(list(segments), 500, replace=False).tolist()
    write_spmv(folder, {name: sorted({segments[name], int(generator.integers(97))}) for name in chosen})
    write_all_features(folder, len(TRAIN), len(segments))
    data = load("epic-kitchens-100-spmv", root=tmp_path, cache=tmp_path / "cache")
    assert (len(data.classes), len(data.validation), len(data.test)) == (97, 9168, 500)
    assert (data.classes[0], data.classes[2]) == ("take", "wash")
    assert set(data.test.ids) == set(chosen)
    assert data.test.truth[np.arange(500), data.test.label].all()
    assert data.test.features.shape == (500, 2 * CHANNELS)
