"""Packs of untrimmed videos: the published layout, the same bytes again, and a posterior that is right."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from suite.data import find_card, load
from suite.data.readers import i3d
from suite.data.storage.generated import MARK
from suite.errors import DataError, UsageError
from suite.rehearsal import draft, request
from suite.rehearsal.timelines import _generated, chosen
from tests.data.test_i3d import REAL

CARDS = ["thumos-14", "thumos-14-dense", "thumos-14-tsn", "activitynet-12", "activitynet-13"]


def digest(folder: Path) -> str:
    """Of the names and contents of all files below ``folder``."""
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        whole.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()


@pytest.mark.parametrize("name", CARDS)
def test_a_pack_is_read_as_the_published_one(name, write, tmp_path):
    root = write(name)
    data = load(name, "", root, tmp_path / "cache")
    assert sum(len(data.split(split)) for split in ("train", "validation", "test")) == 12
    test = data.test
    assert test.rows.shape[1] == 8 and test.oracle["posterior"].shape == (len(test.rows), len(data.classes))
    # Snippets cover their video, to the window at its end.
    covered = test.lengths * test.stride / test.fps
    assert (np.abs(covered - test.duration) <= test.window / test.fps + 1e-9).all()


def test_the_same_request_gives_the_same_bytes(write, tmp_path):
    one, other, third = (
        write("thumos-14", to=tmp_path / name, seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert digest(one) == digest(other) != digest(third)


def test_how_many_videos_are_asked_for_changes_no_features(write, tmp_path):
    few, more = write("thumos-14", to=tmp_path / "few", videos=8), write("thumos-14", to=tmp_path / "more", videos=16)
    names = [path.name for path in (few / "thumos14" / "features").glob("*.npy")]
    assert len(names) == 8
    for name in names:
        one, other = (np.load(root / "thumos14" / "features" / name) for root in (few, more))
        np.testing.assert_array_equal(one, other)


def test_the_posterior_is_right_as_often_as_it_says(write, tmp_path):
    """Evidence comes in quarters: a snippet whose centre is up to a quarter of one outside counts as inside."""
    root = write("thumos-14", videos=412, channels=64, dials={"class_snr": 2.0, "hard_instances": 0.0})
    data = load("thumos-14", "", root, tmp_path / "cache")
    test = data.train
    known = np.asarray(test.oracle["posterior"])
    inside = np.zeros_like(known)
    seconds = (np.arange(len(known)) - np.repeat(test.offsets[:-1], test.lengths) + 0.5) * 16 / 25.0
    video = np.repeat(np.arange(len(test)), test.lengths)
    found, outside = test.segments, 0.25 * 16 / 25.0
    for place in range(len(found)):
        rows = (video == found.video[place]) & (seconds >= found.start[place] - outside)
        rows &= seconds <= found.end[place] + outside
        inside[rows, found.label[place]] = 1
    for low, high in ((0.05, 0.3), (0.3, 0.7), (0.7, 0.95)):
        rows = (known > low) & (known < high)
        assert rows.sum() > 100
        assert inside[rows].mean() == pytest.approx(known[rows].mean(), abs=0.04)


def test_background_is_stronger_in_rgb(write, tmp_path):
    root = write("thumos-14", dials={"background": 0.6, "class_snr": 0.0, "actionness_snr": 0.0}, channels=32)
    data = load("thumos-14", "", root, tmp_path / "cache").train
    means = np.stack([np.asarray(data.features(v)).mean(axis=0) for v in range(len(data))])
    between = means.var(axis=0)
    assert between[:16].mean() > 2 * between[16:].mean()


def test_real_annotations_are_taken_where_they_are_at_hand(write, tmp_path):
    if not (REAL / "thumos14_412.json").is_file():
        pytest.skip(f"no THUMOS-14 annotations in {REAL}: set SUITE_DATA")
    root = write("thumos-14", source=REAL.parent)
    database = json.loads((root / "thumos14" / "thumos14_412.json").read_text())
    published = json.loads((REAL / "thumos14_412.json").read_text())
    assert len(database) == 12 and all(published[name] == entry for name, entry in database.items())
    whole = draft(request("thumos-14", REAL.parent, tmp_path, full=True))
    assert whole.holds == "412 videos, snippets, 2048 channels, real annotations"
    assert whole.size == pytest.approx(1.1e9, rel=0.1)


def test_a_subset_keeps_both_parts_and_takes_classes_in_turn():
    rows = [(f"t{i:02d}", "train", f"c{i % 4}") for i in range(20)] + [
        (f"u{i:02d}", "test", f"c{i // 5}") for i in range(20)
    ]
    kept = chosen(rows, 8)
    assert kept == {"t00", "t01", "t02", "t03", "u00", "u05", "u10", "u15"}
    assert chosen(rows, 100) == {name for name, _, _ in rows}


@pytest.mark.parametrize("name", ["activitynet-13-i3d", "activitynet-13-tsn"])
def test_a_card_of_one_pack_gets_that_pack(name, write, tmp_path):
    """Packs of one dataset lie in folders of their own, each in the form that its card states."""
    root = write("activitynet-13-tsn")
    write("activitynet-13-i3d", channels=None)
    data = load(name, "semi-localization", root, tmp_path / "cache")
    snippets = name.endswith("i3d")
    assert data.train.rows.shape[1] == (2048 if snippets else 8) and bool((data.train.lengths != 100).any()) == snippets


@pytest.mark.parametrize("name", ["thumos-14-tsn", "activitynet-13-tsn"])
def test_a_pack_with_few_classes_scores_them(name, write, tmp_path):
    """Twelve videos do not show all classes; networks that name nothing need the scores of those that are there."""
    data = load(f"{name}[validation=test]", "semi-localization", write(name), tmp_path / "cache")
    scores = data.facts["class_scores"]["test"]
    assert scores.shape == (len(data.test), len(data.classes)) and len(data.classes) < 20
    right = np.asarray(data.test.video_labels)[np.arange(len(scores)), scores.argmax(axis=1)]
    assert right.mean() > 0.8


def test_a_class_without_a_column_is_one_sentence(write, tmp_path):
    root = write("thumos-14-tsn")
    path = root / "thumos14-tsn" / "thumos14_412.json"
    card, label = find_card("thumos-14-tsn"), json.loads(path.read_text())["video_test_0000001"]["annotations"][0]
    path.write_text(path.read_text().replace(label["label"], "Chess"))
    with pytest.raises(DataError, match=r"names no column of .*uNet_test\.npy for 'Chess'"):
        i3d.read(card, path.parent, card.resolve_dials({}), "semi-localization")


def test_generated_timelines_are_as_many_as_were_published(monkeypatch, tmp_path):
    nothing = np.zeros(0)
    monkeypatch.setattr(
        "suite.rehearsal.timelines.planted_instances", lambda *asked: (9.0, nothing, nothing, np.zeros((0, 1)))
    )
    for name, videos in (("thumos-14-tsn", 412), ("activitynet-13-i3d", 14377), ("activitynet-13-tsn", 14377)):
        assert len(_generated(request(name, tmp_path, tmp_path / "to", full=True))) == videos


@pytest.mark.parametrize("name", ["thumos-14", "thumos-14-dense", "activitynet-12"])
def test_generated_videos_are_as_long_as_published_ones(name, tmp_path):
    made = draft(request(name, tmp_path, tmp_path / "to", full=True))
    mean = made.packed / 4 / made.width / len(made.listed.videos)
    assert mean == pytest.approx(find_card(name).size.length, rel=0.15)


def test_real_annotations_are_taken_from_another_folder_and_generated_ones_never(write, tmp_path):
    root = write("thumos-14")
    made = draft(request("thumos-14-dense", root, tmp_path / "to", videos=12))
    assert made.holds.endswith("generated annotations"), "those of a rehearsal pack are no real ones"
    (root / "thumos14" / MARK).unlink()
    made = draft(request("thumos-14-dense", root, tmp_path / "to", videos=8))
    assert made.holds == "8 videos, snippets, 64 channels, shortened real annotations"


def test_a_video_whose_annotations_last_no_time_has_features_all_the_same(write, tmp_path):
    """ActivityNet-1.3 has ten such videos; nothing happens in them."""
    folder = write("activitynet-13-tsn") / find_card("activitynet-13-tsn").folder
    (folder / MARK).unlink()
    database = json.loads((folder / "anet_anno_action.json").read_text())
    name = min(database)
    for row in database[name]["annotations"]:
        row["segment"] = [0.0, 0.0]
    (folder / "anet_anno_action.json").write_text(json.dumps(database))
    again = write("activitynet-13-tsn", to=tmp_path / "again", source=folder.parent)
    data = load("activitynet-13-tsn", "", again, tmp_path / "cache")
    assert any(name in data.split(split).ids for split in ("train", "validation", "test"))


def test_snippets_of_an_unknown_rate_are_refused(tmp_path):
    with pytest.raises(UsageError, match="has no features 64 wide; give --channels 2048"):
        draft(request("activitynet-13-i3d", tmp_path, tmp_path, channels=64))
