"""THUMOS-14 in its published layouts: generated features under the real annotations, where those are at hand."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from suite.data import load
from suite.data.readers import i3d
from suite.data.readers.i3d import find_features
from suite.data.storage.cards import find_card
from suite.errors import DataError
from suite.evaluate.protocols import temporal_protocol
from suite.evaluate.segments import Segments
from suite.tasks import task

REAL = Path(os.environ.get("SUITE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data") / "thumos14"
WIDTH = 6
DIALS = {"validation": "held-out"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The real annotations in a folder that a test may fill with features."""
    if not (REAL / "thumos14_412.json").is_file():
        pytest.skip(f"no THUMOS-14 annotations in {REAL}: set SUITE_DATA")
    (tmp_path / "thumos14").mkdir()
    for name in ("thumos14_412.json", "gt_410.json"):
        shutil.copy(REAL / name, tmp_path / "thumos14" / name)
    return tmp_path / "thumos14"


def video_features(folder: Path) -> dict[str, np.ndarray]:
    """A few snippets for every video: first half of the channels RGB."""
    database = json.loads((folder / "thumos14_412.json").read_text())
    return {
        name: np.random.default_rng(place).normal(size=(3 + place % 5, WIDTH)).astype(np.float32)
        for place, name in enumerate(sorted(database))
    }


def write(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array, allow_pickle=array.dtype.hasobject)


def concatenated(folder: Path, features: dict[str, np.ndarray]) -> None:
    for name, rows in features.items():
        write(folder / "features" / f"{name}.npy", rows)


def two_folders(folder: Path, features: dict[str, np.ndarray]) -> None:
    for name, rows in features.items():
        place = folder / "features" / ("test" if "test" in name else "train")
        write(place / "rgb" / f"{name}.npy", rows[:, : WIDTH // 2])
        write(place / "flow" / f"{name}.npy", rows[:, WIDTH // 2 :])


def one_file(folder: Path, features: dict[str, np.ndarray]) -> None:
    names = list(features)[::-1]
    arrays = np.empty(len(names), dtype=object)
    for place, name in enumerate(names):
        arrays[place] = features[name]
    write(folder / "Thumos14reduced-I3D-JOINTFeatures.npy", arrays)
    write(folder / "Thumos14reduced-Annotations" / "videoname.npy", np.array([name.encode() for name in names]))


@pytest.mark.parametrize("layout", [concatenated, two_folders, one_file])
def test_every_published_layout_gives_the_same_data(folder, layout):
    features = video_features(folder)
    layout(folder, features)
    data = i3d.read(find_card("thumos-14"), folder, DIALS, "weak-localization")
    assert [len(data.split(name)) for name in ("train", "validation", "test")] == [150, 50, 212]
    assert len(data.classes) == 20
    for split in ("train", "test"):
        videos = data.split(split)
        expected = np.concatenate([features[name] for name in videos.ids.tolist()])
        np.testing.assert_array_equal(np.concatenate(list(videos.rows.blocks())), expected)
        assert np.array_equal(videos.lengths, [len(features[name]) for name in videos.ids.tolist()])


@pytest.mark.parametrize(("protocol", "videos", "segments"), [("210", 210, 3311), ("212", 212, 3358)])
def test_protocols_count_the_videos_they_name(folder, tmp_path, protocol, videos, segments):
    one_file(folder, video_features(folder))
    data = load("thumos-14", root=tmp_path, cache=tmp_path / "cache", protocol=protocol)
    left_out = set(temporal_protocol(data.facts["protocol"]["temporal"]).excluded_videos)
    kept = [place for place, name in enumerate(data.test.ids.tolist()) if name not in left_out]
    truth = data.test.segments
    assert (len(kept), len(truth.take(np.isin(truth.video, kept)))) == (videos, segments)
    perfect = Segments(truth.video, truth.label, truth.start, truth.end, np.ones(len(truth)))
    metrics = task("weak-localization").evaluate(perfect, data.test, data)
    assert next(m.value for m in metrics if m.metric == "recall") == pytest.approx(1.0, abs=0.01)


def test_both_annotation_files_agree_on_what_they_share(folder):
    card = find_card("thumos-14")
    long = {video.name: video for video in i3d.read_annotations(card, folder)}
    assert i3d.counts(card, folder, None) == {k: v for k, v in card.counts.items() if k.startswith("annotated")}
    (folder / "thumos14_412.json").unlink()
    short = {video.name: video for video in i3d.read_annotations(card, folder)}
    assert len(short) == 410
    assert set(short) < set(long)
    assert all(sorted(short[name].rows) == sorted(long[name].rows) for name in short)


def test_validation_may_be_the_test_split_as_published(folder):
    one_file(folder, video_features(folder))
    data = i3d.read(find_card("thumos-14"), folder, {"validation": "test"}, "weak-localization")
    assert [len(data.split(name)) for name in ("train", "validation", "test")] == [200, 212, 212]
    assert data.facts["validation_is_test"]


def test_class_scores_name_test_videos_and_mostly_rightly(folder):
    scores = REAL / "uNet_test.npy"
    if not scores.is_file():
        pytest.skip(f"no {scores}: set SUITE_DATA")
    one_file(folder, video_features(folder))
    card = find_card("thumos-14")
    assert i3d.read(card, folder, DIALS, "semi-localization").facts["class_scores"] == {}
    shutil.copy(scores, folder / scores.name)
    assert set(i3d.read(card, folder, {"validation": "test"}, "semi-localization").facts["class_scores"]) == {
        "validation",
        "test",
    }
    data = i3d.read(card, folder, DIALS, "semi-localization")
    assert set(data.facts["class_scores"]) == {"test"}, "the file holds no training videos"
    best = data.facts["class_scores"]["test"].argmax(1)
    right = np.asarray(data.test.video_labels)[np.arange(len(best)), best]
    assert right.mean() > 0.9


def test_dense_snippets_at_each_videos_own_rate(folder):
    concatenated(folder, video_features(folder))
    data = i3d.read(find_card("thumos-14-dense"), folder, DIALS, "semi-localization")
    assert np.asarray(data.test.fps) == pytest.approx(30, abs=0.01)
    assert set(data.test.stride.tolist()) == {4.0}
    assert set(data.test.window.tolist()) == {16.0}


def test_dense_snippets_need_frame_rates(folder):
    concatenated(folder, video_features(folder))
    database = json.loads((folder / "thumos14_412.json").read_text())
    del database["video_test_0000004"]["frames"]
    (folder / "thumos14_412.json").write_text(json.dumps(database))
    with pytest.raises(DataError, match="state no frame rate for video_test_0000004"):
        i3d.read(find_card("thumos-14-dense"), folder, DIALS, "semi-localization")


def small(tmp_path: Path) -> Path:
    """Two annotated videos without real annotations, for faults."""
    rows = [{"segment": ["0.5", "1.5"], "label": "Diving"}]
    database = {
        f"video_{subset}_{n}": {"subset": subset, "annotations": rows} for subset in ("train", "test") for n in range(4)
    }
    (tmp_path / "gt_410.json").write_text(json.dumps({"database": database}))
    for name in database:
        write(tmp_path / "features" / f"{name}.npy", np.ones((4, 2), np.float32))
    return tmp_path


def read_small(folder: Path):
    return i3d.read(find_card("thumos-14"), folder, DIALS, "weak-localization")


def test_a_missing_video_is_named(tmp_path):
    folder = small(tmp_path)
    (folder / "features" / "video_test_2.npy").unlink()
    with pytest.raises(DataError, match="video_test_2"):
        read_small(folder)


def test_features_of_two_widths_are_refused(tmp_path):
    folder = small(tmp_path)
    write(folder / "features" / "video_train_0.npy", np.ones((4, 3), np.float32))
    with pytest.raises(DataError, match="channels wide"):
        read_small(folder)


def test_modalities_of_different_length_are_refused(tmp_path):
    folder = small(tmp_path)
    (folder / "features" / "video_train_1.npy").unlink()
    write(folder / "rgb" / "video_train_1.npy", np.ones((4, 1), np.float32))
    write(folder / "flow" / "video_train_1.npy", np.ones((5, 1), np.float32))
    with pytest.raises(DataError, match="4 and 5 snippets"):
        read_small(folder)


class Harmful:
    def __reduce__(self):
        return (os.system, ("echo should never run",))


def test_a_feature_file_can_not_run_code(tmp_path):
    folder = small(tmp_path)
    path = folder / "Thumos14reduced-I3D-JOINTFeatures.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": (8,)})
        pickle.dump(Harmful(), file)
    write(folder / "videoname.npy", np.array(["video_train_0"]))
    with pytest.raises(DataError, match="no array"):
        read_small(folder)


def test_per_video_objects_are_refused(tmp_path):
    folder = small(tmp_path)
    write(folder / "features" / "video_train_0.npy", np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="not a whole feature file"):
        read_small(folder)


def test_a_pack_with_a_row_per_frame_is_thinned_out(tmp_path: Path) -> None:
    """The TSN pack: every fifth row is used, so that the distance between snippets is five frames."""
    (tmp_path / "features").mkdir()
    rows = np.arange(23 * 4, dtype=np.float32).reshape(23, 4)
    np.save(tmp_path / "features" / "a.npy", rows)
    card = find_card("thumos-14-tsn")
    source = find_features(card, tmp_path)
    assert source.shape("a") == (5, 4) and source.rows("a").shape == (5, 4)
    assert np.array_equal(source.rows("a"), rows[[0, 5, 10, 15, 20]])
    assert card.layout.stride == card.options["every"] == 5
