"""The twins recipe, on the official HMDB-51 splits where they are at hand, and the reader of the published layout."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from suite.data import find_card, load
from suite.data.checks import check_task_data
from suite.data.confusing import all_twins, confusing_hmdb, hmdb_classes, hmdb_split, toss, twin_names
from suite.data.readers import hmdb
from suite.data.storage.rows import blocks_of
from suite.errors import DataError
from suite.hyper import Value
from suite.tasks.data import TaskData
from tests.data.published import CHANNELS, feature_of, write_features

REAL = Path(os.environ.get("SUITE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
SPLITS = REAL / "hmdb51" / "hmdb51_splits"
NAMES = ("brush_hair", "cartwheel", "wave")


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """Small official split files: three classes, 20 training and 4 test clips each, from films of four clips."""
    folder = tmp_path / "hmdb51" / hmdb.OFFICIAL
    folder.mkdir(parents=True)
    for name in NAMES:
        for split in (1, 2, 3):
            clips = [f"Film_{i // 4:02d}_{name}_u_cm_np1_ba_med_{i % 4}.avi {2 if i >= 20 else 1} " for i in range(24)]
            (folder / f"{name}_test_split{split}.txt").write_text(
                "\n".join([*clips, f"left_out_{name}_0.avi 0"]) + "\n"
            )
    return folder


def publish(official: Path, labels: Mapping[int, Mapping[str, int]]) -> dict[str, int]:
    """Write what the authors publish beside ``official``: split files and features. Returns the clips' numbers."""
    root = official.parent
    classes = len(hmdb_classes(official))
    clips = {split: hmdb_split(official, split) for split in (1, 2, 3)}
    numbers = {name: 7 * i + 3 for i, name in enumerate(sorted({c.name for part in clips.values() for c in part}))}
    for split, found in clips.items():
        lines: dict[str, list[str]] = {"train": ["0"], "test": [str(2 * classes)]}
        ids: dict[str, list[int]] = {"train": [], "test": []}
        for clip in found:
            sets = str(labels[split][clip.name]) if clip.part == "train" else f"{clip.label},{clip.label + classes}"
            lines[clip.part].append(f"{clip.name} {numbers[clip.name]} {sets} 0 79")
            ids[clip.part].append(numbers[clip.name])
        (root / hmdb.LABELS).mkdir(exist_ok=True)
        for part, rows in lines.items():
            (root / hmdb.LABELS / f"{part}{split}.txt").write_text("\n".join(rows) + "\n")
        for part, name in (("train", "train"), ("test", "val")):
            for path, offset in zip(hmdb.feature_files(root, split, name), (0.0, 0.5), strict=True):
                write_features(path, np.array(ids[part]), offset, frames=2)
    return numbers


def _read(official: Path, **dials: Value) -> TaskData:
    card = find_card("confusing-hmdb-102")
    return hmdb.read(card, official.parent, card.resolve_dials(dials), "recognition")


def test_the_coin_is_tossed_once_a_training_line(official: Path) -> None:
    """The authors seed Python's global generator once and draw inside the loop over splits, classes and lines."""
    random.seed(12)
    expected: dict[int, dict[str, int]] = {}
    for split in (1, 2, 3):
        expected[split] = {}
        for label, name in enumerate(NAMES):
            for line in (official / f"{name}_test_split{split}.txt").read_text().splitlines():
                clip, flag = line.split()
                if flag == "1":
                    expected[split][f"{name}/{clip[:-4]}"] = random.randint(0, 1) * len(NAMES) + label
    assert confusing_hmdb(official) == expected


def test_twins() -> None:
    labels = toss([0, 1, 2] * 400, 3, random.Random(0))
    assert set((labels % 3 == np.tile([0, 1, 2], 400)).tolist()) == {True}
    assert 0.45 < (labels >= 3).mean() < 0.55
    np.testing.assert_array_equal(all_twins(np.array([1, 4]), 3), [[False, True, False] * 2] * 2)
    assert twin_names(("run", "sit")) == ("run (a)", "sit (a)", "run (b)", "sit (b)")


def test_published_layout(official: Path) -> None:
    labels = confusing_hmdb(official)
    numbers = publish(official, labels)
    data = _read(official, split=2)
    assert data.classes[0] == "brush_hair (a)" and data.classes[3] == "brush_hair (b)"
    assert [len(data.split(s)) for s in ("train", "validation", "test")] == [48, 12, 12]
    for clips in (data.train, data.validation):
        assert [labels[2][name] for name in clips.ids] == clips.label.tolist()
    assert (data.validation.truth.sum(axis=1) == 1).all()
    assert (data.test.truth.sum(axis=1) == 2).all() and (data.train.truth.sum(axis=1) == 2).all()
    rows = np.concatenate(list(blocks_of(data.test.features)))
    numbered = [numbers[name] for name in data.test.ids]
    np.testing.assert_allclose(rows[:, :CHANNELS], [feature_of(i, 0.0) for i in numbered], rtol=1e-5)
    np.testing.assert_allclose(rows[:, CHANNELS:], [feature_of(i, 0.5) for i in numbered], rtol=1e-5)
    check_task_data(data)


def test_whole_films_are_held_out(official: Path) -> None:
    publish(official, confusing_hmdb(official))
    data = _read(official)
    assert not set(data.train.unit) & set(data.validation.unit)
    assert len(set(data.validation.unit)) == len(NAMES)


def test_choosing_on_the_test_clips_is_said(official: Path) -> None:
    publish(official, confusing_hmdb(official))
    data = _read(official, validation="test")
    assert len(data.train) == 60 and data.facts["validation_is_test"]
    np.testing.assert_array_equal(data.validation.ids, data.test.ids)


def test_labels_are_compared_with_the_recipe(official: Path) -> None:
    labels = {split: dict(found) for split, found in confusing_hmdb(official).items()}
    first = next(iter(labels[1]))
    labels[1][first] = (labels[1][first] + 3) % 6
    publish(official, labels)
    card = find_card("confusing-hmdb-102")
    assert hmdb.counts(card, official.parent, _read(official)) == {"differing_labels": 1}


@pytest.mark.parametrize(
    ("line", "match"),
    [("wave/x 12 3", "line 2"), ("wave/x 12 a 0 9", "line 2"), ("wave/x 12 99 0 9", "label 99 of 2")],
)
def test_damaged_labels(official: Path, line: str, match: str) -> None:
    publish(official, confusing_hmdb(official))
    (official.parent / hmdb.LABELS / "train1.txt").write_text(f"0\n{line}\n")
    with pytest.raises(DataError, match=match):
        _read(official)


@pytest.mark.skipif(not SPLITS.is_dir(), reason=f"the official HMDB-51 splits are not in {SPLITS}")
class TestRealSplits:
    def test_labels(self) -> None:
        labels = confusing_hmdb(SPLITS)
        assert len(hmdb_classes(SPLITS)) == 51
        for split in (1, 2, 3):
            assert len(labels[split]) == 51 * 70
            classes = np.array(list(labels[split].values()))
            assert set(np.bincount(classes % 51).tolist()) == {70}
            assert 0.45 < (classes >= 51).mean() < 0.55
        assert {n for n in labels[1] if labels[1][n] != labels[2].get(n, labels[1][n])}, "every split tosses anew"

    def test_published_layout(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        root = tmp_path / "hmdb51"
        root.mkdir()
        (root / hmdb.OFFICIAL).symlink_to(SPLITS)
        publish(root / hmdb.OFFICIAL, confusing_hmdb(SPLITS))
        data = load("confusing-hmdb-102[split=2]", root=tmp_path, cache=tmp_path / "cache")
        assert len(data.classes) == 102
        assert (len(data.test), len(data.train) + len(data.validation)) == (1530, 3570)
        assert 0.1 < len(data.validation) / 3570 < 0.25
        assert data.train.features.shape == (len(data.train), 2 * CHANNELS)
        assert (np.bincount(data.train.label, minlength=102) > 10).all()
