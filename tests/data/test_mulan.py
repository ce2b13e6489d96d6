"""MULAN files: single labels drawn from complete sets, splits, and the real files where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csc_matrix

from suite.data import find_card, load
from suite.data.readers import mulan
from suite.data.request import dataset_request
from suite.data.storage.verify import verify
from suite.errors import DataError
from suite.spec.card import FileSpec
from suite.tasks.data import TaskData
from suite.tasks.recognition.noise import noisy_labels
from suite.tasks.recognition.single_positive import draw_label, head_and_tail

REAL = Path(os.environ.get("SUITE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
ROWS, CHANNELS, CLASSES = 120, 5, 4


def _truth() -> np.ndarray:
    truth = np.random.default_rng(0).random((ROWS, CLASSES)) < 0.4
    truth[7] = truth[60] = False
    return truth


def _write(folder: Path, **content: object) -> Path:
    features = np.random.default_rng(1).normal(3.0, 2.0, (ROWS, CHANNELS))
    values = {"data": features, "target": np.where(_truth().T, 1, -1).astype(np.int16), **content}
    savemat(folder / "some.mat", {name: value for name, value in values.items() if value is not None})
    return folder


def _read(folder: Path, draw: int = 0, standardize: bool = True) -> TaskData:
    changes = {"files": (FileSpec(path="some.mat"),), "options": {"standardize": standardize}}
    return mulan.read(find_card("yeast").model_copy(update=changes), folder, {"draw": draw}, "recognition")


def test_every_labelled_row_is_in_one_split(tmp_path: Path) -> None:
    data = _read(_write(tmp_path))
    ids = np.concatenate([data.split(s).ids for s in ("train", "validation", "test")])
    rows = {int(name.removeprefix("row-")) for name in ids}
    assert len(ids) == len(rows) == ROWS - (~_truth().any(axis=1)).sum()
    assert not rows & set(np.flatnonzero(~_truth().any(axis=1)).tolist())
    assert data.facts["rows without a label"] == (~_truth().any(axis=1)).sum() >= 2


def test_labels_are_true_and_validation_shows_one(tmp_path: Path) -> None:
    data = _read(_write(tmp_path))
    for name in ("train", "validation", "test"):
        clips = data.split(name)
        complete = _truth()[[int(i.removeprefix("row-")) for i in clips.ids]]
        np.testing.assert_array_equal(clips.oracle["complete"], complete)
        assert complete[np.arange(len(clips)), clips.label].all()
        shown = complete if name != "validation" else clips.label[:, None] == np.arange(CLASSES)
        np.testing.assert_array_equal(clips.truth, shown)


def test_a_draw_is_a_draw(tmp_path: Path) -> None:
    _write(tmp_path)
    first, again, other = _read(tmp_path), _read(tmp_path), _read(tmp_path, draw=1)
    np.testing.assert_array_equal(first.train.label, again.train.label)
    np.testing.assert_array_equal(first.train.ids, again.train.ids)
    assert not np.array_equal(first.train.ids, other.train.ids)


def test_scale_comes_from_training_rows(tmp_path: Path) -> None:
    data = _read(_write(tmp_path))
    np.testing.assert_allclose(data.train.features.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(data.train.features.std(axis=0), 1, atol=1e-5)
    assert np.abs(data.test.features.mean(axis=0)).max() > 1e-3
    assert _read(tmp_path, standardize=False).train.features.mean() > 2


def test_sparse_features_and_labels_of_zero_and_one(tmp_path: Path) -> None:
    plain = _read(_write(tmp_path))
    features = np.random.default_rng(1).normal(3.0, 2.0, (ROWS, CHANNELS))
    other = _read(_write(tmp_path, data=csc_matrix(features), target=_truth().T.astype(np.uint8)))
    np.testing.assert_allclose(plain.train.features, other.train.features, rtol=1e-6)
    np.testing.assert_array_equal(plain.train.truth, other.train.truth)


@pytest.mark.parametrize(
    "content", [{"target": None}, {"target": np.full((CLASSES, ROWS), 3)}, {"data": np.zeros((4, 2))}]
)
def test_other_files_are_named(tmp_path: Path, content: dict[str, object]) -> None:
    with pytest.raises(DataError, match=r"some\.mat"):
        _read(_write(tmp_path, **content))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = _write(tmp_path) / "some.mat"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match=r"some\.mat is not a MULAN file"):
        _read(tmp_path)


def test_each_label_is_as_likely() -> None:
    truth = np.tile([True, False, True, True], (30_000, 1))
    share = np.bincount(draw_label(truth, np.random.default_rng(0)), minlength=4) / len(truth)
    np.testing.assert_allclose(share, [1 / 3, 0, 1 / 3, 1 / 3], atol=0.01)


def test_tail_holds_at_most_a_fifth() -> None:
    groups = head_and_tail(np.array([50, 3, 30, 7, 10]))
    assert groups == {"head": [0, 2], "tail": [1, 3, 4]}


@pytest.mark.parametrize("name", ["yeast", "emotions", "enron"])
def test_real_file(name: str, tmp_path: Path) -> None:
    if not (REAL / "multilabel" / f"{name}.mat").is_file():
        pytest.skip(f"{name}.mat is not in {REAL / 'multilabel'}")
    findings = verify(dataset_request(name, root=REAL, cache=tmp_path))
    assert not [found for found in findings if not found.agrees], findings
    data = load(name, root=REAL, cache=tmp_path)
    assert np.isfinite(data.train.features).all()
    assert len(data.train) + len(data.validation) + len(data.test) == find_card(name).counts["rows"]


def _noisy(data: TaskData, drop: float, flip: float, seed: int = 0) -> TaskData:
    return noisy_labels(data, {"label_drop": drop, "label_flip": flip, "noise_seed": seed})


def test_no_noise_is_the_data_itself(tmp_path: Path) -> None:
    data = _read(_write(tmp_path))
    assert _noisy(data, 0.0, 0.0) is data


def test_flipped_labels_are_wrong_and_counted(tmp_path: Path) -> None:
    data = _read(_write(tmp_path))
    whole = data.train.truth.all(axis=1)
    noisy = _noisy(data, 0.0, 0.4)
    changed = noisy.train.label != data.train.label
    assert changed.sum() == noisy.facts["noise"]["flipped"] <= round(0.4 * len(data.train))
    assert changed.sum() >= round(0.4 * len(data.train)) - whole.sum() > 0
    assert not data.train.truth[changed, noisy.train.label[changed]].any()
    assert noisy.train.features is data.train.features and "features_of" not in noisy.facts
    assert noisy.validation is data.validation and noisy.test is data.test
    np.testing.assert_array_equal(noisy.train.truth, data.train.truth)
    every = _noisy(data, 0.0, 1.0).train
    assert (every.label != data.train.label)[~whole].all()
    np.testing.assert_array_equal(every.label[changed], noisy.train.label[changed])
    assert not np.array_equal(_noisy(data, 0.0, 0.4, seed=1).train.label, noisy.train.label)


def test_dropped_labels_leave_training(tmp_path: Path) -> None:
    data = _read(_write(tmp_path))
    few, many = _noisy(data, 0.2, 0.0), _noisy(data, 0.5, 0.5)
    assert len(data.train) - len(few.train) == few.facts["noise"]["dropped"] == round(0.2 * len(data.train))
    assert set(many.train.ids) < set(few.train.ids) < set(data.train.ids)
    rows = np.isin(data.train.ids, few.train.ids)
    np.testing.assert_array_equal(few.train.label, data.train.label[rows])
    np.testing.assert_array_equal(few.train.features, data.train.features[rows])
    assert few.facts["features_of"] != _noisy(data, 0.2, 0.0, seed=1).facts["features_of"]
    assert 0 < many.facts["noise"]["flipped"] < len(many.train)


def test_cards_declare_the_noise() -> None:
    for name in ("emotions", "enron", "yeast"):
        dials = find_card(name).dials
        assert {dials[dial].stage for dial in ("label_drop", "label_flip", "noise_seed")} == {"load"}
    clean, noisy = (dataset_request(name).dials for name in ("yeast", "yeast[label_flip=0.2]"))
    assert (clean["label_flip"], noisy["label_flip"]) == (0.0, 0.2)
    assert find_card("yeast").label(noisy) == "yeast[label_flip=0.2]"
