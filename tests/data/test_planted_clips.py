"""planted-clips: labels are what the pictures show, still frames do not tell, files are real."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from suite.data import load
from suite.data.loading import open_dataset
from suite.data.planted.clips import SHOT, detected, script, table
from suite.data.planted.scenes import CLASSES, FPS, LABEL, MIRROR, POSES, WAYS, Behaviour, draw_cast, stage
from suite.data.planted.shapes import Shape, moving_background, render
from suite.data.request import dataset_request
from suite.data.storage.cards import find_card
from suite.errors import DataError

SMALL = {"train_videos": 3, "unlabelled_videos": 2, "validation_videos": 1, "test_videos": 2, "labelled": 1.0}
HEIGHT, WIDTH, SPEED = 120, 160, 40.0


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    cache = tmp_path_factory.mktemp("clips")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUITE_OUTPUTS", str(cache))
        yield load("planted-clips", dials=SMALL)


@pytest.fixture(scope="module")
def casts() -> list[list[Behaviour]]:
    generator = np.random.default_rng(0)
    return [draw_cast(int(generator.integers(1, 5)), HEIGHT, WIDTH, SPEED, generator) for _ in range(1500)]


def test_everyone_does_exactly_one_locomotion(casts: list[list[Behaviour]]) -> None:
    for cast in casts:
        for one in cast:
            assert sum(CLASSES.index(name) < POSES for name in one.labels) == 1, one.labels


def test_directions_are_those_of_the_velocity(casts: list[list[Behaviour]]) -> None:
    for cast in casts:
        for one in cast:
            for way in one.labels & set(WAYS):
                assert np.dot(one.velocity, WAYS[way]) > 0
                assert abs(np.dot(one.velocity, WAYS[way])) >= abs(np.dot(one.velocity, WAYS[way][::-1])) - 1e-9
            if "rest" in one.labels:
                assert np.allclose(one.velocity, 0)


def test_touching_is_what_it_looks_like(casts: list[list[Behaviour]]) -> None:
    for cast in casts:
        for one in cast:
            near = [
                np.hypot(*(one.place - other.place)) - one.radius - other.radius for other in cast if other is not one
            ]
            assert ("touch" in one.labels) == (bool(near) and min(near) <= 0)


def test_labels_are_many_and_long_tailed(casts: list[list[Behaviour]]) -> None:
    counts = np.array([sum(name in one.labels for cast in casts for one in cast) for name in CLASSES])
    people = sum(len(cast) for cast in casts)
    assert (counts > 0).all()
    assert counts.max() > 20 * counts.min()
    assert counts.sum() / people > 1.5


def test_places_at_the_key_frame_do_not_tell_directions(casts: list[list[Behaviour]]) -> None:
    """Alone in a shot, whoever moves left stands anywhere, as whoever moves right does."""
    alone = [cast[0] for cast in casts if len(cast) == 1]
    left, right = (
        np.array([one.place[0] for one in alone if way in one.labels]) for way in ("move left", "move right")
    )
    error = WIDTH / np.sqrt(12) * np.sqrt(1 / len(left) + 1 / len(right))
    assert abs(left.mean() - right.mean()) < 4 * error


def test_key_frames_of_pulsing_and_blinking_shapes_look_like_any(casts: list[list[Behaviour]]) -> None:
    generator = np.random.default_rng(1)
    plain, pulse, blink = [], [], []
    for cast in casts:
        for one in cast:
            shape = stage(one, SHOT, generator)
            assert shape.radius[SHOT // 2] == pytest.approx(one.radius)
            assert np.allclose(shape.path[SHOT // 2], one.place, atol=1e-9)
            (pulse if "pulse" in one.labels else plain).append(np.ptp(shape.radius))
            if "blink" in one.labels:
                blink.append(shape.opacity[SHOT // 2] < 1)
                assert np.ptp(shape.opacity) > 0
    assert max(plain) == 0
    assert min(pulse) > 1
    assert abs(np.mean(blink) - 0.2) < 5 * np.sqrt(0.16 / len(blink)), "as often dim as shapes that do not blink"


def test_shapes_move_as_their_labels_say() -> None:
    one = Behaviour(np.array([80.0, 60.0]), np.array([40.0, 0.0]), 12.0, {"move right"})
    path = stage(one, SHOT, np.random.default_rng(0)).path
    assert np.allclose(np.diff(path, axis=0), [40.0 / FPS, 0.0])
    falling = stage(replace(one, velocity=np.zeros(2), labels={"fall"}), SHOT, np.random.default_rng(0)).path
    steps = np.diff(falling[:, 1])
    assert (np.diff(steps[6:]) > 0).all(), "ever faster"


def test_picture_of_a_disc() -> None:
    still = np.full(3, 20.0)
    disc = Shape(
        np.tile([30.0, 20.0], (3, 1)),
        still / 2,
        still * 0,
        np.ones(3),
        "disc",
        np.array([[1.0, 0, 0], [1.0, 0, 0]]),
        2.0,
    )
    frames = render([disc], np.full((3, 40, 60, 3), 0.5), 40, 60)
    red = (frames[0, :, :, 0] > 191) & (frames[0, :, :, 1] < 64)
    assert red.sum() == pytest.approx(np.pi * 100, rel=0.06)
    assert not red[:, :19].any()
    background = moving_background(5, 40, 60, np.random.default_rng(0))
    assert background.std(axis=(0, 1, 2)).max() > 0
    assert not np.allclose(background[0], background[4])


def test_mirror_exchanges_left_and_right_alone() -> None:
    assert MIRROR[LABEL["move left"]] == LABEL["move right"]
    assert [MIRROR[m] for m in MIRROR] == list(range(len(CLASSES)))
    assert sum(m != i for i, m in enumerate(MIRROR)) == 2


def test_detector_noise() -> None:
    card = find_card("planted-clips")
    dials = card.resolve_dials({"detector_misses": 0.3, "detector_false": 0.5, "detector_jitter": 0.05})
    truth = table(script("test", 200, dials, np.random.default_rng(0)), dials)
    found = detected(truth, dials, np.random.default_rng(0))
    true = found.score >= 0.7
    assert len(found) / len(truth) == pytest.approx(0.7 + 0.5, abs=0.08)
    assert found.labels[true].any(axis=1).mean() > 0.8
    quiet = card.resolve_dials({})
    assert detected(truth, quiet, np.random.default_rng(0)) is truth


def test_world_is_read_from_real_video_files(world) -> None:
    train = world.train
    assert set(np.char.partition(train.video[train.labelled].astype(str), "-")[:, 0]) == {"train"}
    assert set(np.char.partition(train.video[~train.labelled].astype(str), "-")[:, 0]) == {"unlabelled"}
    path = Path(str(world.test.frames.files[0]))
    assert path.suffix == ".mp4"
    assert path.stat().st_size > 5000
    clip = world.test.frames.clip(0)
    assert clip.shape == (16, 64, 85, 3)
    assert np.abs(np.diff(clip.astype(int), axis=0)).mean() > 0.2, "something moves"


def test_pictures_are_under_the_boxes(world) -> None:
    """Inside a box the key frame changes more from pixel to pixel than the smooth background does."""
    test, inside, outside = world.test, [], []
    for index in range(len(test.clip_ids)):
        key = test.frames.clip(index)[8].astype(float)
        edges = np.abs(np.diff(key, axis=1)).sum(axis=2)
        mask = np.zeros(edges.shape, dtype=bool)
        for x1, y1, x2, y2 in test.truth_box[test.truth_clip == index] * [85, 64, 85, 64]:
            mask[int(y1) : int(y2) + 1, int(x1) : int(x2) + 1] = True
        inside.append(edges[mask].mean())
        outside.append(edges[~mask].mean())
    assert np.mean(inside) > 3 * np.mean(outside)


def test_same_dials_same_labels(world, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUITE_OUTPUTS", str(tmp_path))
    again = load("planted-clips", dials=SMALL)
    assert np.array_equal(again.train.labels, world.train.labels)
    assert np.array_equal(again.test.frames.clip(1), world.test.frames.clip(1))


def test_videos_lie_beside_the_packed_arrays_and_their_loss_is_told(tmp_path: Path) -> None:
    data = load("planted-clips", cache=tmp_path / "here", dials=SMALL)
    folder = Path(str(data.train.frames.files[0])).parent
    assert folder.is_relative_to(tmp_path / "here")
    shutil.rmtree(folder)
    with pytest.raises(DataError, match=r"gone from .*prepare --force"):
        load("planted-clips", cache=tmp_path / "here", dials=SMALL)
    asked = dataset_request("planted-clips", cache=tmp_path / "here", dials=SMALL)
    assert open_dataset(asked, force=True).test.frames.clip(0).shape == (16, 64, 85, 3)
