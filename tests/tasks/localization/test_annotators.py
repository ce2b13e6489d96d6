"""Several annotators of segments: the majority by frames, everybody, who saw what, people judged by each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from suite.errors import DataError, UsageError
from suite.evaluate.protocols import temporal_protocol
from suite.evaluate.segments import Segments
from suite.evaluate.temporal import temporal_map
from suite.tasks import task
from suite.tasks.data import TaskData
from suite.tasks.localization.annotators import by_annotators
from suite.tasks.localization.samples import Videos
from suite.tasks.localization.splits import classes_alone, labels_of_some
from suite.tasks.localization.votes import agreed

NAMES = ("ann", "bob", "cid")
C, SECONDS = 2, 12


def drawn(count: int, seed: int) -> list[Segments]:
    """Whole-second segments of three annotators, who overlap themselves at times."""
    draw = np.random.default_rng(seed)
    parts = []
    for _ in NAMES:
        start = draw.integers(0, SECONDS - 1, 4 * count)
        end = np.minimum(start + draw.integers(1, 5, 4 * count), SECONDS)
        parts.append(Segments(np.repeat(np.arange(count), 4), draw.integers(0, C, 4 * count), start, end))
    return parts


def videos(parts: list[Segments], name: str, count: int, seen: np.ndarray | None = None) -> Videos:
    ids = np.array([f"{name}{place}" for place in range(count)])
    rows = np.random.default_rng(0).normal(size=(SECONDS * count, 2)).astype(np.float32)
    lengths, seconds = np.full(count, SECONDS), np.full(count, float(SECONDS))
    more: dict[str, Any] = {"fps": 1, "stride": 1, "window": 1, "duration": seconds}
    return Videos.by_annotators(ids, rows, lengths, parts, C, seen, **more)


def world(task_name: str = "semi-localization", reference: str = "", **splits: Videos) -> TaskData[Videos]:
    made = {n: videos(drawn(6, place), n, 6) for place, n in enumerate(("train", "validation", "test"))} | splits
    facts = {"annotators": {"names": list(NAMES), "reference": reference}}
    return TaskData.of("made", task_name, ("run", "jump"), made, facts)


def turned(data: TaskData[Videos], annotator: str = "majority", test: str = "majority") -> TaskData[Videos]:
    return by_annotators(data, {"annotator": annotator, "test_annotator": test})


def seconds(parts: list[Segments], count: int) -> np.ndarray:
    """(A, V, C, seconds) bool: which annotator gives which second to which class."""
    table = np.zeros((len(parts), count, C, SECONDS), dtype=bool)
    for place, part in enumerate(parts):
        for video, label, start, end in zip(part.video, part.label, part.start, part.end):
            table[place, video, label, int(start) : int(end)] = True
    return table


def drawn_table(found: Segments, count: int) -> np.ndarray:
    return seconds([found], count)[0]


def test_three_moved_segments_agree_on_their_middle_boundaries() -> None:
    start, end = np.array([1.0, 2.5, 2.0]), np.array([5.0, 6.0, 7.5])
    found = agreed(Segments(np.zeros(3), np.ones(3), start, end), np.arange(3), np.array([1.5]))
    assert (found.label.tolist(), found.start.tolist(), found.end.tolist()) == ([1], [2.0], [6.0])


def test_an_annotator_counts_once_and_touching_runs_are_one() -> None:
    own = Segments(np.zeros(4), np.zeros(4), np.array([0.0, 1.0, 0.0, 2.0]), np.array([2.0, 3.0, 2.0, 4.0]))
    whose = np.array([0, 0, 1, 2])  # the second overlaps the first of the same annotator
    found = agreed(own, whose, np.array([1.0]))
    assert (found.start.tolist(), found.end.tolist()) == ([0.0], [3.0])
    assert not len(agreed(own.take([0, 1]), whose[:2], np.array([1.0])))


@pytest.mark.parametrize("seed", range(4))
def test_the_majority_is_what_counting_seconds_says(seed: int) -> None:
    parts = drawn(6, seed)
    table = seconds(parts, 6)
    made = turned(world(train=videos(parts, "train", 6)))
    assert np.array_equal(drawn_table(made.train.segments, 6), table.sum(axis=0) > 1.5)
    everybody = turned(world(train=videos(parts, "train", 6)), "all")
    assert np.array_equal(drawn_table(everybody.train.segments, 6), table.any(axis=0))
    for one in (made.train.segments, everybody.train.segments):
        order = np.lexsort((one.start, one.label, one.video))
        near = (np.diff(one.video[order]) == 0) & (np.diff(one.label[order]) == 0)
        assert (one.start[order][1:] > one.end[order][:-1])[near].all(), "runs do not touch"


def test_one_annotators_segments_stay_as_they_were_given() -> None:
    parts = drawn(6, 9)
    found = turned(world(train=videos(parts, "train", 6), test=videos(parts, "test", 6)), "bob", "cid")
    for split, part in (("train", parts[1]), ("test", parts[2])):
        own = found.split(split).segments
        assert np.array_equal(own.start, part.start) and np.array_equal(own.end, part.end)
        shown = np.zeros((6, C), dtype=bool)
        shown[part.video, part.label] = True
        assert np.array_equal(found.split(split).video_labels, shown)


def test_votes_are_those_of_who_saw_the_video_and_unseen_videos_leave() -> None:
    parts = drawn(3, 2)
    seen = np.array([[True, True, True], [True, False, False], [False, False, False]])
    parts = [part.take(seen[part.video, place]) for place, part in enumerate(parts)]
    found = turned(world(train=videos(parts, "train", 3, seen)))
    assert found.train.ids.tolist() == ["train0", "train1"]
    assert found.facts["annotators"]["videos left out"] == {"train": 1, "validation": 0, "test": 0}
    table = seconds(parts, 3)
    assert np.array_equal(drawn_table(found.train.segments, 3)[1], table[0, 1])
    assert np.array_equal(drawn_table(found.train.segments, 3)[0], table[:, 0].sum(axis=0) > 1.5)
    only = turned(world(train=videos(parts, "train", 3, seen)), "bob")
    assert only.train.ids.tolist() == ["train0"]
    with pytest.raises(UsageError, match="annotator=bob saw no train video"):
        turned(world(train=videos(parts, "train", 3, seen & [True, False, True])), "bob")


def test_shares_are_no_segments() -> None:
    with pytest.raises(UsageError, match="semi-localization does not learn from shares of annotators: use annotator="):
        turned(world(), "soft")


def test_noise_and_withholding_come_after_the_choice() -> None:
    dials = {"annotator": "ann", "test_annotator": "majority", "noise_seed": 0, "segment_drop": 0.5}
    found = labels_of_some(world(), {**dials, "labelled": 0.5, "split_seed": 1})
    own = turned(world(), "ann").train
    known = int(found.train.labelled[own.segments.video].sum())
    assert found.train.labelled.sum() == 3 and len(found.train.known_segments()) == known - round(0.5 * known)


def test_videos_on_whose_classes_nobody_agrees_teach_no_weak_method() -> None:
    parts = [part.take(part.video > 0) if place else part for place, part in enumerate(drawn(6, 4))]
    data = world("weak-localization", train=videos(parts, "train", 6))
    dials = {"annotator": "majority", "test_annotator": "majority"}
    assert classes_alone(data, dials).train.ids.tolist() == [f"train{place}" for place in range(1, 6)]
    assert len(labels_of_some(data, dials).train) == 6


def test_people_are_judged_by_the_majority_of_the_others() -> None:
    """Of two others a majority is both; the expected value comes from the table of seconds."""
    parts = drawn(6, 3)
    data = turned(world(test=videos(parts, "test", 6)))
    people, table = task("semi-localization").people(data), seconds(parts, 6)
    assert list(people) == list(NAMES)
    for place, name in enumerate(NAMES):
        both = np.delete(table, place, axis=0).all(axis=0)
        truth = Segments.of_rows(
            (video, label, run[0], run[-1] + 1)
            for video in range(6)
            for label in range(C)
            for run in np.split(np.flatnonzero(both[video, label]), _breaks(both[video, label]))
            if len(run)
        )
        said = replace(parts[place], score=np.ones(len(parts[place])))
        expected = temporal_map(truth, said, temporal_protocol("activitynet"), np.arange(6)).average_map
        assert people[name][0].metric == "mAP"
        assert people[name][0].value == pytest.approx(expected)


def _breaks(inside: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.diff(np.flatnonzero(inside)) > 1) + 1


def test_a_reference_is_what_people_are_compared_with() -> None:
    parts = drawn(6, 5)
    parts[1] = parts[2]  # bob says what cid, the reference, says
    data = turned(world(reference="cid", test=videos(parts, "test", 6)), "majority", "cid")
    people = task("semi-localization").people(data)
    assert list(people) == ["ann", "bob"]
    recall = {name: next(one.value for one in rows if one.metric == "recall") for name, rows in people.items()}
    assert recall["bob"] == 1 and recall["ann"] < 1


def test_taking_videos_takes_what_was_said_of_them() -> None:
    parts = drawn(6, 6)
    some = videos(parts, "test", 6).take(np.array([4, 1]))
    assert some.annotations is not None and some.annotations.seen.shape == (2, 3)
    for place, part in enumerate(parts):
        own = some.annotations.segments.take(some.annotations.annotator == place)
        assert np.array_equal(own.start[own.video == 0], part.start[part.video == 4])
        assert np.array_equal(own.start[own.video == 1], part.start[part.video == 1])


def test_segments_in_a_video_that_nobody_saw_are_told() -> None:
    parts = drawn(6, 1)
    seen = np.ones((6, 3), dtype=bool)
    seen[4, 1] = False
    with pytest.raises(DataError, match=r"'test4' \(test\) has segments of an annotator who has not seen it"):
        task("semi-localization").check(videos(parts, "test", 6, seen), "test", C)
    task("semi-localization").check(videos(parts, "test", 6), "test", C)
