"""What ``suite check DATASET`` sees, on datasets whose faults are known and whose chances are counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.conformance import datasets as conformance
from suite.conformance.arrays import snippets
from suite.conformance.datasets import Subject, inspect
from suite.conformance.finding import Finding, tried
from suite.conformance.predictors import probed
from suite.evaluate.segments import Segments
from suite.tasks import task
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos
from suite.tasks.recognition.samples import Clips
from tests.train.world import world


def looked(check: Callable[[Subject], Any], data: TaskData[Any]) -> Finding:
    return tried(check, Subject(data, task(data.task)))


def changed(split: str, **fields: Any) -> TaskData[Clips]:
    data = world()
    return replace(data, **{split: replace(data.split(split), **fields)})


def videos(**fields: Any) -> TaskData[Videos]:
    """Two classes; every video of 10 s has one segment of 4 s."""
    splits = {}
    for split, count in (("train", 6), ("validation", 3), ("test", 4)):
        label = np.array([0, 0, 1, 0, 0, 1])[:count]
        start = np.linspace(0, 5, count)
        segments = Segments(np.arange(count), label, start, start + 4)
        ids = np.array([f"{split}{letter}" for letter in "abcdef"[:count]])
        rows = np.random.default_rng(count).normal(size=(count * 10, 3)).astype(np.float32)
        lengths, seconds = np.full(count, 10), np.full(count, 10.0)
        splits[split] = Videos.annotated(ids, rows, lengths, segments, 2, fps=1, stride=1, window=1, duration=seconds)
    splits["train"] = replace(splits["train"], **fields)
    return TaskData.of("made", "weak-localization", ("run", "jump"), splits, facts={})


def test_a_sound_dataset_has_no_fault() -> None:
    for check in (conformance._shapes, conformance._numbers, conformance._classes, conformance._informative):
        assert looked(check, world()).state == "yes"


def test_unknown_labels_are_told_and_not_taken_for_absent() -> None:
    data = world()
    known = np.ones_like(data.train.truth)
    known[: len(known) // 2, 0] = data.train.truth[: len(known) // 2, 0]
    masked = replace(data, train=replace(data.train, known=known))
    found = looked(conformance._classes, masked)
    assert found.facts["unknown"] == {"train": pytest.approx(1 - known.mean())} and "unknown labels" in found.said
    features, _ = conformance._examples(Subject(masked, task(data.task)), "train", ("label",))
    assert len(features) == known.all(axis=1).sum() < len(known)
    nothing = replace(data, train=replace(data.train, known=np.zeros_like(known)))
    assert "no samples with labels that are all known" in looked(conformance._informative, nothing).said


def test_labels_of_other_samples_say_nothing() -> None:
    data = world(400)
    mixed = np.random.default_rng(5).permutation(data.train.label)
    found = looked(conformance._informative, replace(data, train=replace(data.train, label=mixed)))
    assert found.state == "no"
    assert "belong to the same samples" in found.said


def test_labels_that_all_samples_share_are_pointed_out() -> None:
    data = world()
    found = looked(conformance._informative, replace(data, test=replace(data.test, truth=data.test.truth | True)))
    assert found.state == "look"
    assert "nearly all samples have the same classes: 0 labels" in found.said


def test_few_labels_that_a_probe_misses_are_no_fault() -> None:
    """The features of these videos are noise, and 40 snippets are too few to say so."""
    found = looked(conformance._informative, videos())
    assert found.state == "look"
    assert "too few test labels (16) to say" in found.said


def test_snippets_have_the_classes_of_their_segments() -> None:
    """One snippet per second: those with their middle in [0, 4] are 0.5 to 3.5, in [5, 9] 5.5 to 8.5."""
    rows, shown = snippets(videos().test, 2) or (None, np.zeros((40, 2)))
    assert rows is not None and len(rows) == 40
    assert np.flatnonzero(shown[:10, 0]).tolist() == [0, 1, 2, 3]
    assert np.flatnonzero(shown[30:, 0]).tolist() == [5, 6, 7, 8]
    assert snippets(world().test, 4) is None


def test_the_probe_follows_what_least_squares_explains() -> None:
    """One feature decides the label but for noise: the share is r², which the penalty of 0.1 divides by 1.1."""
    generator = np.random.default_rng(3)
    x, unseen = generator.normal(size=(4000, 1)), generator.normal(size=(4000, 1))
    y, truth = (one + generator.normal(size=one.shape) > 0 for one in (x, unseen))
    share, shuffled = probed(x, y, unseen, truth, generator)
    assert share == pytest.approx(np.corrcoef(unseen[:, 0], truth[:, 0])[0, 1] ** 2 / 1.1, abs=0.02)
    assert np.abs(shuffled).max() < 0.06


def test_a_sample_in_two_splits_is_found_by_its_features() -> None:
    data = world()
    copied = data.test.features.copy()
    copied[3] = data.train.features[7]
    found = looked(conformance._apart, changed("test", features=copied))
    assert found.state == "no"
    assert "'1-7' (train) and '3-3' (test)" in found.said


def test_videos_are_told_apart_by_their_snippets_and_not_by_their_means() -> None:
    data = videos()
    rows = data.test.rows.copy()
    rows[:10] = data.train.rows[:10][::-1]  # another video with the same mean
    assert looked(conformance._apart, replace(data, test=replace(data.test, rows=rows))).state == "yes"
    rows[10:20] = data.train.rows[20:30]
    found = looked(conformance._apart, replace(data, test=replace(data.test, rows=rows)))
    assert found.state == "no" and "'trainc' (train) and 'testb' (test)" in found.said


def test_ids_and_units_may_not_be_shared() -> None:
    ids = world().test.ids.copy()
    ids[0] = "1-0"
    assert "ids '1-0' is in both train and test" in looked(conformance._apart, changed("test", ids=ids)).said
    assert "unit '1-0' is in both train and test" in looked(conformance._apart, changed("test", unit=ids)).said


def test_parts_of_one_recording_under_units_of_their_own_are_pointed_out() -> None:
    data = world()
    for split, first in (("train", 100), ("test", 500)):
        own = data.split(split)
        ids = np.array([f"tape{i // 2}_c{first + i}" for i in range(len(own))])
        data = replace(data, **{split: replace(own, ids=ids, unit=ids)})
    found = looked(conformance._apart, data)
    assert found.state == "look"
    assert "'tape0_c101' (train) and 'tape0_c501' (test)" in found.said


def test_values_that_are_no_numbers_are_named() -> None:
    seconds = np.full(6, 10.0)
    seconds[2] = np.nan
    found = looked(conformance._numbers, videos(duration=seconds))
    assert found.state == "no"
    assert "1 values of 'duration' in train" in found.said
    broken = videos().train.segments
    assert (
        "'segments.end'" in looked(conformance._numbers, videos(segments=replace(broken, end=broken.end * np.inf))).said
    )


def test_a_class_that_training_lacks_is_pointed_out() -> None:
    found = looked(conformance._classes, changed("train", label=np.zeros(70, dtype=np.int64)))
    assert found.state == "look"
    assert "class 1, class 2, class 3" in found.said
    assert found.facts["counts"] == {"class 0": 70, "class 1": 0, "class 2": 0, "class 3": 0}


def test_chance_is_what_counting_says() -> None:
    """One of four classes is true: a guess is right for a quarter; the majority for as many as are of that class."""
    data = world(400)
    common = np.bincount(data.train.label, minlength=4).argmax()
    found = looked(conformance._chance, data).facts
    assert found["metric"] == "top-set"
    assert found["majority"] == pytest.approx((data.test.label == common).mean())
    assert found["random"] == pytest.approx(0.25, abs=0.1)


def test_chance_of_segments() -> None:
    """Class 'run' over whole videos overlaps 4 of 10 s: found at tIoU below 0.4 alone, in 3 of the 4 videos, first in
    rank or not; 'jump' is never found. Equal scores leave the order open, so the precision lies between bounds."""
    data = replace(videos(), facts={"protocol": {"tiou": [0.3]}})
    found = looked(conformance._chance, data).facts
    assert 0.75**2 / 2 <= found["majority"] <= 0.5
    assert 0 <= found["random"] < 1
    strict = looked(conformance._chance, replace(data, facts={"protocol": {"tiou": [0.5]}})).facts
    assert strict["majority"] == 0


def annotated(said: np.ndarray) -> TaskData[Clips]:
    """The tiny world, whose test clips have what three annotators ``said`` (A, N), a class each."""
    splits = {}
    for split in ("train", "validation", "test"):
        own = world(100).split(split)
        table = np.eye(4, dtype=np.int8)[said if split == "test" else np.tile(own.label, (3, 1))]
        splits[split] = Clips.by_annotators(own.ids, own.features, table.swapaxes(0, 1), own.unit)
    facts = {"annotators": {"names": ["a", "b", "c"], "reference": ""}}
    data = TaskData.of("three", "recognition", world().classes, splits, facts)
    return task("recognition").withhold(data, {"annotator": "majority", "test_annotator": "majority"})


def test_annotators_are_compared_with_each_other() -> None:
    """b errs in ten clips, and says there what nobody else says."""
    label = world(100).test.label
    said = np.tile(label, (3, 1))
    said[1, :10] = (label[:10] + 1) % 4
    found = looked(conformance._people, annotated(said))
    assert found.state == "yes" and "top-set of each against the majority of the others" in found.said
    # a and c are judged where the two others agree: in the 30 clips where b does not err
    assert found.facts["people"] == {"a": 1.0, "b": pytest.approx(0.75), "c": 1.0}


def test_annotators_who_agree_by_chance_are_pointed_out() -> None:
    said = np.random.default_rng(0).integers(0, 4, (3, 40))
    common = np.bincount(world(100).train.label, minlength=4).argmax()
    said[0, :25] = said[1, :25] = common
    found = looked(conformance._people, annotated(said))
    assert found.state == "look" and "no better than a majority predictor" in found.said


def test_premises_are_reported_where_they_are_known() -> None:
    assert looked(conformance._premises, replace(world(40), facts={"premises": {"share of action": 0.25}})).said == (
        "share of action 0.25"
    )


def test_a_planted_world_is_looked_into_from_its_name(tmp_path: Path) -> None:
    found = list(inspect("planted-verbs[train=200,validation=50,test=50]", cache=tmp_path))
    assert len(found) == 8  # with what methods' premises rest on
    assert [one.check for one in found if not one.holds] == []
    (failed,) = inspect("planted-verbs[trian=200]", cache=tmp_path)
    assert failed.state == "no" and "did you mean 'train'" in failed.said
