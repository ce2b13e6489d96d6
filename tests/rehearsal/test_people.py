"""Packs of people in clips: the published layout, frames for every clip, and labels that the pictures show."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from suite.data import find_card, load
from suite.data.readers.ucf101 import HEIGHT, WIDTH
from suite.data.storage.generated import MARK
from suite.rehearsal import bytes_in, draft, request
from suite.tasks.actors.ucf_files import read_tubes
from tests.rehearsal.test_localization import digest

UCF = {"videos": 96, "channels": None}
AVA = {"videos": 8, "channels": None}


@pytest.mark.parametrize(
    ("name", "size"), [("ava-v1.0", AVA), ("ava-v2.1", AVA), ("ava-v2.2", AVA), ("ucf101-24", UCF)]
)
def test_a_pack_is_read_as_the_published_one(name, size, write, tmp_path, monkeypatch):
    monkeypatch.setattr("suite.rehearsal.people.SMALL", 3)
    monkeypatch.setattr("suite.rehearsal.sports.SHORT", 9)
    data = load(f"{name}[holdout={'0.4' if name != 'ucf101-24' else 2}]", "", write(name, **size), tmp_path / "cache")
    assert data.facts["kind"] == "generated"
    for split in ("train", "validation", "test"):
        samples = data.split(split)
        assert len(samples) and samples.frames is not None, split
        for clip in (0, len(samples.clip_ids) - 1):
            assert samples.frames.clip(clip).shape[::3] == (32, 3)
    assert data.test.box_score.min() < 1.0 or name == "ava-v1.0", "the test is scored on detected boxes"


@pytest.mark.slow
def test_the_same_request_gives_the_same_bytes(write, tmp_path, monkeypatch):
    monkeypatch.setattr("suite.rehearsal.people.SMALL", 2)
    one, other, third = (
        write("ava-v2.2", to=tmp_path / to, seed=seed, **AVA) for to, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert digest(one) == digest(other) != digest(third)


def test_frames_without_a_picture_of_their_own_show_the_nearest(write, tmp_path, monkeypatch):
    """With one picture a second a clip has every frame, and each key frame is as it is in the pack of all pictures."""
    monkeypatch.setattr("suite.rehearsal.people.SMALL", 3)
    few, whole = (write("ava-v2.2", to=tmp_path / to, dials=d, **AVA) for to, d in (("a", {"pictures": 1}), ("b", {})))
    folders = [next(root.glob("*/frames/train0000")) for root in (few, whole)]
    names = [sorted(path.name for path in folder.glob("*.jpg")) for folder in folders]
    assert names[0] == names[1]
    images = [[(folder / name).read_bytes() for name in names[0]] for folder in folders]
    mark = (folders[0] / MARK).stat().st_size
    assert bytes_in(folders[0]) == mark + sum(map(len, set(images[0]))) < sum(map(len, images[0])) / 5
    changes = [i for i, (one, other) in enumerate(pairwise(images[0]), 1) if one != other]
    assert len(changes) == 4 and set(np.diff(changes)) <= {30, 31}  # a tie goes to an even number of seconds
    assert len(set(images[1])) == len(names[0])
    for second in (2, 3, 4):  # from 15:00 on; the first image has number 1
        place = names[0].index(f"train0000_{second * 30 + 1:06d}.jpg")
        assert images[0][place] == images[1][place]


@pytest.mark.slow
def test_a_box_looks_like_its_labels(write, tmp_path, monkeypatch):
    """People with the same label are nearer to each other in the picture than people without."""
    monkeypatch.setattr("suite.rehearsal.sports.SHORT", 9)
    root = write("ucf101-24", **UCF)
    train = load("ucf101-24[key_stride=8]", "", root, tmp_path / "cache").train
    label = train.labels.argmax(axis=1)
    looks = np.stack([_look(train, row) for row in range(len(train))])
    near = [_correlation(looks, label == c) for c in np.unique(label[label % 2 == 0]) if (label == c).sum() > 1]
    assert np.mean(near) > 0.6
    assert abs(_correlation(looks, np.ones(len(looks), dtype=bool))) < 0.3


def _look(samples, row: int) -> np.ndarray:
    """(36 · 3,) the middles of the tiles in a person's box at the key frame, less their mean."""
    frame = samples.frames.clip(int(samples.clip[row]))[16].astype(float)
    height, width = frame.shape[:2]
    x1, y1, x2, y2 = samples.box[row] * [width, height, width, height]
    rows, columns = (np.linspace(a, b, 13)[1::2].astype(int) for a, b in ((y1, y2), (x1, x2)))
    tiles = frame[rows.clip(0, height - 1)][:, columns.clip(0, width - 1)].ravel()
    return tiles - tiles.mean()


def _correlation(looks: np.ndarray, rows: np.ndarray) -> float:
    """The mean correlation of pairs among ``rows``."""
    table = np.corrcoef(looks[rows])
    return float(table[~np.eye(len(table), dtype=bool)].mean())


@pytest.mark.slow
def test_tubes_are_written_as_they_are_read(write, monkeypatch):
    monkeypatch.setattr("suite.rehearsal.sports.SHORT", 9)
    root = write("ucf101-24", **UCF)
    tubes = read_tubes(root / "ucf101_24" / "finalAnnots.mat")
    assert len(tubes.videos) == 96 and len(tubes.classes) == 24
    assert (tubes.box[:, 2:] > tubes.box[:, :2]).all()


def test_ucf_has_as_many_videos_tubes_and_boxes_as_were_published(tmp_path):
    made = draft(request("ucf101-24", tmp_path, tmp_path / "to", full=True))
    counts = find_card("ucf101-24").counts
    tubes = [tube for found in made.videos.values() for tube in found]
    assert (len(made.videos), len(made.test)) == (counts["videos"], counts["test_videos"]) and made.test <= set(
        made.videos
    )
    assert (len(tubes), sum(len(boxes) for _, _, boxes in tubes)) == (counts["tubes"], counts["boxes"])
    assert len({label for label, _, _ in tubes}) == counts["classes"]
    assert made.frames == pytest.approx(572022, rel=0.01), "frames of the real tubes and the clips around them"
    every = np.concatenate([boxes for _, _, boxes in tubes])
    assert every[:, :2].min() >= 0 and (every[:, :2] + every[:, 2:] <= [WIDTH, HEIGHT]).all()


def test_versions_of_a_dataset_are_drawn_apart(tmp_path):
    one, other = (draft(request(name, tmp_path, tmp_path, videos=8)) for name in ("ava-v2.1", "ava-v2.2"))
    assert one.holds.partition(",")[0] == other.holds.partition(",")[0] == "8 videos"
    for part in ("train", "test"):
        boxes = [made.tables[part].box for made in (one, other)]
        assert boxes[0].shape != boxes[1].shape or not np.isclose(*boxes).any()


def test_published_size_is_said_and_not_written(tmp_path):
    whole = draft(request("ava-v2.2", tmp_path, tmp_path / "to", full=True))
    assert whole.size > 50 * 2**30
    assert "299 videos" in whole.holds and "340×256" in whole.holds
    size = find_card("ava-v2.2").size
    drawn = {part: whole.videos[part] * whole.frames_each[part] for part in ("train", "test")}
    assert drawn == {"train": pytest.approx(size.train, rel=0.01), "test": pytest.approx(size.test, rel=0.01)}
    assert not Path(tmp_path / "to").exists()
