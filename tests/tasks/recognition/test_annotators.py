"""Several annotators of clips: majority, shares, everybody; ties are unknown; people judged by each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from suite.errors import DataError, UsageError
from suite.tasks import task
from suite.tasks.annotators import Panel
from suite.tasks.data import TaskData
from suite.tasks.recognition.annotators import by_annotators, compared
from suite.tasks.recognition.noise import training_labels
from suite.tasks.recognition.samples import Clips
from suite.tasks.recognition.unknown import check_unknown
from suite.tasks.recognition.votes import agreed

NAMES = ("ann", "bob", "cid")
N, A, C = 60, 3, 4


def drawn(seed: int, count: int = N, single: bool = False) -> np.ndarray:
    """(count, A, C) what annotators said: sets of classes with gaps, or one class each."""
    draw = np.random.default_rng(seed)
    if single:
        return np.eye(C, dtype=np.int8)[draw.integers(0, C, (count, A))]
    said = (draw.random((count, A, C)) < 0.4).astype(np.int8)
    return np.where(draw.random((count, A, C)) < 0.1, -1, said).astype(np.int8)


def clips(said: np.ndarray, name: str) -> Clips:
    ids = np.array([f"{name}-{place}" for place in range(len(said))])
    features = np.random.default_rng(1).normal(size=(len(said), 3)).astype(np.float32)
    return Clips.by_annotators(ids, features, said, ids)


def world(reference: str = "", single: bool = False, **splits: np.ndarray) -> TaskData[Clips]:
    said = {name: drawn(seed, single=single) for seed, name in enumerate(("train", "validation", "test"))} | splits
    facts = {"annotators": {"names": list(NAMES), "reference": reference}}
    made = {name: clips(one, name) for name, one in said.items()}
    return TaskData.of("made", "recognition", "wxyz", made, facts)


def turned(data: TaskData[Clips], annotator: str = "majority", test: str = "majority") -> TaskData[Clips]:
    return by_annotators(data, {"annotator": annotator, "test_annotator": test})


def by_counting(said: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The majority and what of it is known, one label at a time."""
    truth, known = np.zeros((len(said), C), dtype=bool), np.zeros((len(said), C), dtype=bool)
    for clip, row in enumerate(said):
        for label in range(C):
            yes, no = int((row[:, label] == 1).sum()), int((row[:, label] == 0).sum())
            truth[clip, label], known[clip, label] = yes > no, yes != no
        for label in range(C):
            if not truth[clip].any() and (row[:, label] == 1).any():
                known[clip, label] = False
    return truth, known


def test_a_majority_is_more_than_half_and_a_tie_is_unknown() -> None:
    said = np.array([[[1, 1, 0, -1], [1, 0, 0, -1], [0, -1, 1, -1]], [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]])
    truth, known = agreed(said, range(3))
    assert truth.tolist() == [[True, False, False, False], [False] * 4]
    assert known.tolist() == [[True, False, True, False], [False, False, False, True]]


@pytest.mark.parametrize("seed", range(3))
def test_the_majority_is_what_counting_says(seed: int) -> None:
    said = drawn(seed)
    for found, expected in zip(agreed(said, range(A)), by_counting(said)):
        assert np.array_equal(found, expected)


def test_majority_trains_and_tests() -> None:
    data = world()
    found = turned(data)
    truth, known = by_counting(data.train.annotations)
    kept = truth.any(axis=1)
    assert np.array_equal(found.train.ids, data.train.ids[kept])
    assert np.array_equal(found.train.truth, truth[kept]) and np.array_equal(found.train.known, known[kept])
    assert np.array_equal(found.train.target, truth[kept])
    assert found.facts["annotators"]["clips left out"] == (~kept).sum() > 0
    truth, known = by_counting(data.test.annotations)
    assert np.array_equal(found.test.truth, truth) and np.array_equal(found.test.known, known)
    assert len(found.test) == N
    check_unknown(found.train, "train")
    assert found.train.truth[np.arange(len(found.train)), found.train.label].all()


def test_one_annotator_trains_and_another_tests() -> None:
    data = world()
    found = turned(data, "bob", "cid")
    said = data.train.annotations[:, 1]
    kept = (said == 1).any(axis=1)
    assert np.array_equal(found.train.truth, said[kept] == 1)
    assert np.array_equal(found.train.known, said[kept] >= 0)
    assert np.array_equal(found.train.features, data.train.features[kept])
    for split in ("validation", "test"):
        said = data.split(split).annotations[:, 2]
        assert np.array_equal(found.split(split).truth, said == 1)
        assert np.array_equal(found.split(split).known, said >= 0)
    assert found.facts["features_of"] == "annotator=bob"


def test_shares_of_annotators_are_targets() -> None:
    data = world()
    found = turned(data, "soft").train
    place = {name: row for row, name in enumerate(data.train.ids)}
    for row, name in enumerate(found.ids):
        for label in range(C):
            said = [one for one in data.train.annotations[place[name], :, label].tolist() if one >= 0]
            assert found.target[row, label] == pytest.approx(sum(said) / len(said) if said else 0)
            assert (found.known is None or found.known[row, label]) == bool(said)
    assert set(found.ids) == set(data.train.ids[(data.train.annotations == 1).any(axis=(1, 2))])
    judged, plain = turned(data, "soft"), turned(data)
    assert np.array_equal(judged.test.truth, plain.test.truth)


def test_everybody_is_a_sample_of_its_own() -> None:
    data = world()
    found = turned(data, "all")
    expected = [
        (f"{name}@{who}", features, row)
        for who, rows in zip(NAMES, np.moveaxis(data.train.annotations, 1, 0))
        for name, features, row in zip(data.train.ids, data.train.features, rows)
        if (row == 1).any()
    ]
    assert found.train.ids.tolist() == [name for name, _, _ in expected]
    assert np.array_equal(found.train.features, [features for _, features, _ in expected])
    assert np.array_equal(found.train.truth, [row == 1 for _, _, row in expected])
    assert np.array_equal(found.train.known, [row >= 0 for _, _, row in expected])
    assert found.facts["features_of"] == "annotator=all" and len(found.test) == N


def test_one_class_each_makes_single_labels_as_of_one_annotator() -> None:
    data = world(single=True)
    one = turned(data, "ann", "ann")
    assert one.train.target is None and one.train.known is None
    assert one.train.features is data.train.features and "features_of" not in one.facts
    assert np.array_equal(one.train.label, data.train.annotations[:, 0].argmax(axis=1))
    majority = turned(data)
    disputed = data.train.annotations.sum(axis=1).max(axis=1) == 1
    assert np.array_equal(majority.train.ids, data.train.ids[~disputed])
    assert np.array_equal(majority.train.label, data.train.annotations.sum(axis=1).argmax(axis=1)[~disputed])


def test_noise_comes_after_annotators_and_wants_single_labels() -> None:
    dials = {"annotator": "ann", "test_annotator": "majority", "label_flip": 0.5, "noise_seed": 1}
    data = world(single=True)
    noisy, clean = training_labels(data, dials), training_labels(data, {**dials, "label_flip": 0.0})
    assert (noisy.train.label != clean.train.label).sum() == N // 2
    assert np.array_equal(noisy.test.truth, clean.test.truth)
    with pytest.raises(UsageError, match="trains on label sets, not single labels"):
        training_labels(world(), dials)


def test_a_reference_judges_and_has_no_vote() -> None:
    data = world("cid")
    found = turned(data, "majority", "cid")
    truth, _ = by_counting(data.train.annotations[:, :2])
    assert np.array_equal(found.train.truth, truth[truth.any(axis=1)])
    assert [name for name, _, _ in compared(found)] == ["ann", "bob"]
    panel = Panel.of(found)
    assert panel is not None and panel.against == "cid"


def top1_by_hand(said: np.ndarray, who: int) -> float:
    """Share of test clips whose single class of one annotator is that of both others, where those agree."""
    own, first, second = (np.roll(said.argmax(axis=2), -who, axis=1)[:, place] for place in range(3))
    return float((own == first)[first == second].mean())


def test_people_are_judged_by_the_majority_of_the_others() -> None:
    data = turned(world(single=True))
    people = task("recognition").people(data)
    assert list(people) == list(NAMES)
    for place, name in enumerate(NAMES):
        values = {(one.metric, one.threshold): one.value for one in people[name]}
        expected = top1_by_hand(data.test.annotations, place)
        assert values["top-1", None] == pytest.approx(expected)
        assert values["top-set", None] == pytest.approx(expected)
        assert values["IoU", 0.5] == pytest.approx(expected)
        assert not [one for one in people[name] if one.label]


def test_a_class_that_people_did_not_name_is_found_by_chance_alone() -> None:
    """Ann names nothing where bob and cid name one of four: her four classes are equal, so a quarter is right."""
    said = np.zeros((2000, A, C), dtype=np.int8)
    said[:, 1:] = np.eye(C, dtype=np.int8)[np.random.default_rng(0).integers(0, C, 2000)][:, None]
    people = task("recognition").people(turned(world(single=True, test=said)))
    values = {one.metric: one.value for one in people["ann"] if one.threshold is None}
    assert values["top-1"] == pytest.approx(0.25, abs=0.02)
    assert not people["bob"], "of ann and cid, exactly half name a class: all is unknown"


def test_what_somebody_said_nothing_about_is_not_judged() -> None:
    said = drawn(7, single=True)
    said[: N // 2, 0] = -1
    found = turned(world(single=True, test=said))
    name, _, truth = next(compared(found))
    assert name == "ann" and truth.known is not None and not truth.known[: N // 2].any()


def test_card_and_reader_must_agree() -> None:
    data = world()
    unnamed = replace(data, facts={})
    with pytest.raises(DataError, match=r"train has 'annotations'; name their annotators in the card"):
        turned(unnamed)
    with pytest.raises(DataError, match="the card names annotators, test has no 'annotations'"):
        turned(replace(data, test=replace(data.test, annotations=None)))
    facts = {"annotators": {"names": ["ann", "bob"], "reference": ""}}
    with pytest.raises(DataError, match="train has 3 annotators, the card names 2"):
        turned(replace(data, facts=facts))
    assert by_annotators(replace(unnamed, **_plain(data)), {}).train.annotations is None


def test_a_reader_may_count_its_annotators_in_facts() -> None:
    data = replace(world(), facts={"annotators": 3})
    assert by_annotators(replace(data, **_plain(data)), {}).facts == {"annotators": 3}


def _plain(data: TaskData[Clips]) -> dict[str, Any]:
    return {split: replace(data.split(split), annotations=None) for split in ("train", "validation", "test")}


def test_who_said_nothing_cannot_train_or_test() -> None:
    silent = drawn(3)
    silent[:, 1] = -1
    with pytest.raises(UsageError, match="annotator=bob gives no training clip a label"):
        turned(world(train=silent), "bob")
    with pytest.raises(UsageError, match="test_annotator=bob said nothing about the test clips"):
        turned(world(test=silent), "majority", "bob")


def test_nan_is_nothing_said() -> None:
    said = drawn(5)
    table = np.where(said < 0, np.nan, said)
    assert np.array_equal(clips(table, "x").annotations, said)
    with pytest.raises(DataError, match="must be"):
        check_unknown(replace(clips(said, "x"), annotations=said + 1), "train")
