"""planted-actors and ava-v1-planted: pure functions of their dials, long-tailed, honest about what they know."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.data import is_available, load
from suite.data.planted.actor_world import ActorWorld, actor_features, class_directions
from suite.data.planted.actors import read
from suite.data.planted.ava_actors import STEP, follow, with_halfway
from suite.data.storage.cards import find_card
from suite.errors import UsageError
from suite.evaluate.multilabel import mean_average_precision
from suite.tasks.actors.splits import withhold_labels
from suite.tasks.actors.tables import BoxTable, assemble
from suite.tasks.data import TaskData

SMALL = {"train_videos": 8, "validation_videos": 3, "test_videos": 6, "key_frames": 8, "classes": 12, "poses": 4}
REAL = Path(os.environ.get("SUITE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worlds")


def small(cache: Path, **dials: object):
    return load("planted-actors", cache=cache, dials={**SMALL, **dials})


def test_same_dials_same_world(tmp_path: Path) -> None:
    one, again, other = (small(tmp_path / name, world_seed=seed).train for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert np.array_equal(one.features, again.features)
    assert np.array_equal(one.labels, again.labels)
    assert one.features.shape != other.features.shape or not np.array_equal(one.features, other.features)


@pytest.mark.parametrize(
    ("dials", "expected"),
    [({}, "339c1ea14f649d35"), ({"snr": 4.0, "tail": 1.5, "persistence": 0.3, "world_seed": 3}, "58718e96d03bbf91")],
)
def test_with_its_dials_alone_version_1_is_drawn_bit_by_bit(dials: dict[str, float], expected: str) -> None:
    card = find_card("planted-actors")
    data = read(card, Path(), card.resolve_dials({**SMALL, **dials}), "actor-detection")
    found = hashlib.sha256()
    for people in (data.train, data.validation, data.test):
        for array in (people.features, people.labels, people.box, people.labelled):
            found.update(array.tobytes())
    found.update(data.test.oracle["posterior"].round(6).tobytes())
    assert found.hexdigest()[:16] == expected  # computed with version 1


def test_every_actor_has_one_pose_and_at_most_five_interactions(cache: Path) -> None:
    labels = small(cache).test.labels
    assert (labels[:, :4].sum(axis=1) == 1).all()
    assert labels[:, 4:].sum(axis=1).max() <= 5
    assert labels.sum(axis=1).mean() > 1.5


def test_splits_share_no_video_and_only_training_is_unlabelled(cache: Path) -> None:
    data = small(cache)
    videos = [set(data.split(name).video) for name in ("train", "validation", "test")]
    assert not (videos[0] & videos[1] or videos[0] & videos[2] or videos[1] & videos[2])
    assert data.validation.labelled.all()
    assert data.test.labelled.all()
    assert not data.train.labelled.all()


def test_unlabelled_key_frames_stand_between_labelled_ones(cache: Path) -> None:
    train = small(cache, labelled=1.0).train
    assert set((train.second[train.labelled] % 1).tolist()) == {0.0}
    assert set((train.second[~train.labelled] % 1).tolist()) == {0.5}


def test_instances_of_a_clip_are_contiguous_and_share_its_fate(cache: Path) -> None:
    train = small(cache, labelled=0.3, labelled_unit="clip", discarded="unlabelled").train
    assert (np.diff(train.clip) >= 0).all()
    for clip in np.unique(train.clip):
        assert len(set(train.labelled[train.clip == clip])) == 1


def probed(data: TaskData[Any], lift: Any) -> float:
    """mAP on test people of a least-squares map from ``lift(features)`` to labels."""
    train, test = data.train, data.test
    known = lift(np.asarray(train.features[train.labelled], dtype=np.float64))
    weights = np.linalg.lstsq(known, train.labels[train.labelled].astype(np.float64), rcond=None)[0]
    return mean_average_precision(lift(np.asarray(test.features, dtype=np.float64)) @ weights, test.labels)


def linear(x: np.ndarray) -> np.ndarray:
    return np.hstack([x, np.ones((len(x), 1))])


def quadratic(x: np.ndarray) -> np.ndarray:
    first, second = np.triu_indices(x.shape[1])
    return linear(x[:, first] * x[:, second])


def test_no_linear_map_solves_a_mirrored_world(cache: Path) -> None:
    dials = {
        "snr": 8.0,
        "channels": 16,
        "classes": 6,
        "poses": 3,
        "train_videos": 60,
        "test_videos": 30,
        "labelled": 1.0,
    }
    plain, mirrored = (small(cache, mirrored=share, **dials) for share in (0.0, 0.5))
    chance = mirrored.test.labels.mean()
    assert probed(plain, linear) > 0.9
    assert probed(mirrored, linear) < chance + 0.1
    assert probed(mirrored, quadratic) > chance + 0.25  # what is there is no accident of the signs
    assert mirrored.facts["ceilings"]["mAP"] > 0.9


def test_nuisance_lies_where_no_class_does(cache: Path) -> None:
    dials = {"nuisance": 5, "nuisance_snr": 6.0, "test_videos": 120, "video_offset": 0.0}
    data, quiet = small(cache, **dials), small(cache, test_videos=120, video_offset=0.0)
    basis = np.array(data.facts["nuisance"])
    assert np.allclose(basis @ basis.T, np.eye(5) * (6.0 / 2.0) ** 2)
    along = data.test.features @ basis.T / 9.0
    assert along.std() == pytest.approx(np.sqrt(1 + 1 / 36), rel=0.1)  # nuisance and noise, in spreads of nuisance
    explained = np.corrcoef(along.T, data.test.labels.T.astype(float))[:5, 5:]
    assert np.abs(explained).mean() < 0.06
    assert data.facts["ceilings"]["mAP"] == pytest.approx(quiet.facts["ceilings"]["mAP"], abs=0.1)
    with pytest.raises(UsageError, match="leave nothing of 64 channels"):
        small(cache, nuisance=64)


@pytest.mark.parametrize("mirrored", [0.2, 0.5])
def test_posterior_knows_of_sides_and_nuisance(cache: Path, mirrored: float) -> None:
    test = small(cache, test_videos=120, mirrored=mirrored, nuisance=4, snr=4.0).test
    probability, truth = test.oracle["posterior"].ravel(), test.labels.ravel()
    for low in np.arange(0.05, 0.95, 0.15):
        chosen = (probability >= low) & (probability < low + 0.15)
        assert abs(truth[chosen].mean() - probability[chosen].mean()) < 4 * np.sqrt(0.25 / chosen.sum()) + 0.02


def test_labelled_people_of_the_rarest_class_are_counted(cache: Path) -> None:
    data = small(cache, labelled=1.0)
    fewest = data.train.labels[data.train.labelled].sum(axis=0).min()
    assert data.facts["premises"]["labelled people of the rarest class at 1"] == fewest


@pytest.mark.parametrize("unit", ["video", "clip"])
def test_shares_of_labels(cache: Path, unit: str) -> None:
    full = small(cache, labelled=1.0).train
    part = small(cache, labelled=0.5, labelled_unit=unit, split_seed=3).train
    joined = small(cache, labelled=0.5, labelled_unit=unit, split_seed=3, discarded="unlabelled").train
    assert len(joined) == len(full)
    assert np.array_equal(joined.ids[joined.labelled], part.ids[part.labelled])
    assert (~part.labelled).sum() == (~full.labelled).sum(), "dropped clips do not join the unlabelled ones"
    if unit == "video":
        assert len(set(part.video[part.labelled])) == 4
    other = small(cache, labelled=0.5, labelled_unit=unit, split_seed=4).train
    assert set(other.ids[other.labelled]) != set(part.ids[part.labelled])


def test_smallest_share_keeps_one_unit(cache: Path) -> None:
    train = small(cache, labelled=0.0).train
    assert len(set(train.video[train.labelled])) == 1


def test_posterior_is_calibrated(cache: Path) -> None:
    """Among entries with probability about p, a share p is true: the generator knows its own law."""
    test = small(cache, test_videos=120).test
    probability, truth = test.oracle["posterior"].ravel(), test.labels.ravel()
    for low in np.arange(0.05, 0.95, 0.15):
        chosen = (probability >= low) & (probability < low + 0.15)
        error = 4 * np.sqrt(0.25 / chosen.sum()) + 0.02
        assert abs(truth[chosen].mean() - probability[chosen].mean()) < error


def test_limits_of_signal(cache: Path) -> None:
    loud, silent = (small(cache, snr=snr) for snr in (200.0, 0.0001))
    assert loud.facts["ceilings"]["mAP"] == pytest.approx(1.0, abs=1e-3)
    present = silent.test.labels.any(axis=0)
    chance = silent.test.labels[:, present].mean()
    assert silent.facts["ceilings"]["mAP"] == pytest.approx(chance, abs=0.12)


def test_shift_moves_unlabelled_actors_alone(cache: Path) -> None:
    plain, moved = (small(cache, labelled=1.0, unlabelled_shift=shift).train for shift in (0.0, 3.0))
    assert np.array_equal(plain.features[plain.labelled], moved.features[moved.labelled])
    gap = moved.features[~moved.labelled] - plain.features[~plain.labelled]
    assert np.allclose(gap, 3.0 / 2.0, atol=1e-5), "three noise deviations at the default snr of 2"


def test_noise_stays_with_an_actor() -> None:
    generator = np.random.default_rng(0)
    world = ActorWorld(np.zeros((1, 2000)), np.ones((1, 1), bool), np.ones(1), offset=0.0, noise=1.0)
    previous = np.array([-1, 0, 1, -1])
    x = actor_features(world, np.zeros((4, 1)), np.zeros(4, int), previous, np.zeros((1, 2000)), 0.7, generator)
    correlation = np.corrcoef(x)
    assert correlation[0, 1] == pytest.approx(0.7, abs=0.06)
    assert correlation[0, 2] == pytest.approx(0.49, abs=0.06)
    assert abs(correlation[0, 3]) < 0.08


def test_alike_classes_share_a_direction() -> None:
    directions = class_directions(20, 4000, 0.5, np.random.default_rng(0))
    cosine = directions @ directions.T - np.eye(20)
    assert np.allclose(np.linalg.norm(directions, axis=1), 1)
    assert cosine.max() == pytest.approx(0.5, abs=0.06)
    assert np.median(np.abs(cosine)) < 0.05


def table(rows: list[tuple[str, float, float]]) -> BoxTable:
    """Boxes of half the width of the frame, at a given left edge."""
    boxes = np.array([[left, 0.2, left + 0.5, 0.8] for _, _, left in rows])
    labels = np.eye(len(rows), dtype=bool)
    return BoxTable(np.array([r[0] for r in rows]), np.array([r[1] for r in rows]), boxes, labels, np.ones(len(rows)))


def test_people_are_followed_one_to_one() -> None:
    people = table(
        [("a", 904, 0.0), ("a", 904, 0.4), ("a", 907, 0.45), ("a", 907, 0.05), ("b", 907, 0.0), ("a", 913, 0)]
    )
    assert follow(people, STEP).tolist() == [-1, -1, 1, 0, -1, -1]


def test_halfway_people_stand_between_and_chain() -> None:
    people = table([("a", 904, 0.0), ("a", 907, 0.1), ("a", 910, 0.2)])
    both, previous, halfway = with_halfway(people, np.random.default_rng(0))
    assert both.second.tolist() == [904, 905.5, 907, 908.5, 910]
    assert halfway.tolist() == [False, True, False, True, False]
    assert previous.tolist() == [-1, 0, 1, 2, 3]
    assert both.box[1, 0] == pytest.approx(0.05)
    assert both.labels[1].tolist() in (people.labels[0].tolist(), people.labels[1].tolist())


def test_clips_without_instances_stay_and_can_be_taken() -> None:
    truth = table([("a", 1, 0.0), ("a", 2, 0.0), ("b", 1, 0.0)])
    actors = assemble(truth.take(np.array([0, 2])), truth)
    assert actors.clip_ids.tolist() == ["a,1", "a,2", "b,1"]
    assert actors.clip.tolist() == [0, 2]
    kept = actors.take(np.array([1, 2]))
    assert kept.clip_ids.tolist() == ["a,2", "b,1"]
    assert kept.clip.tolist() == [1]
    assert kept.truth_clip.tolist() == [0, 1]


@pytest.mark.skipif(not is_available(find_card("ava-v1-planted"), REAL), reason="AVA v1.0 annotations are not here")
def test_real_people_with_generated_features(tmp_path: Path) -> None:
    data = load("ava-v1-planted", root=REAL, cache=tmp_path, dials={"labelled": 1.0})
    annotated = sum(int(data.split(name).labelled.sum()) for name in ("train", "validation", "test"))
    sizes = sum(
        np.bincount(s.labels[s.labelled].sum(axis=1), minlength=7) for s in (data.train, data.validation, data.test)
    )
    assert annotated == 18824
    assert sizes[1:7].tolist() == [3336, 9551, 4868, 970, 91, 8]
    per_label = mean_average_precision(data.test.oracle["posterior"], data.test.labels)
    assert data.facts["ceilings"]["mAP"] == pytest.approx(per_label, abs=0.03), (
        "people who overlap may stand in for another"
    )
    assert data.facts["poses"] == 14


def test_classes_that_nobody_with_labels_shows_are_named() -> None:
    people = np.eye(4, dtype=bool)
    table = BoxTable(np.array(["a", "b", "c", "d"]), np.zeros(4), np.tile([0.0, 0, 1, 1], (4, 1)), people, np.ones(4))
    train = assemble(table, labelled=np.array([True, True, True, False]))
    data = TaskData("toy", "actor-detection", tuple("wxyz"), train, train, train)
    dials = {"labelled": 0.34, "labelled_unit": "video", "discarded": "drop", "split_seed": 0}
    left = withhold_labels(data, dials)
    (kept,) = left.train.video[left.train.labelled]
    expected = [name for name, video in zip("wxyz", "abcd") if video not in (kept, "d")]
    assert left.facts["missing_classes"] == expected, "z was never among the labelled"
    assert withhold_labels(data, {**dials, "labelled": 1.0}).facts["missing_classes"] == []
