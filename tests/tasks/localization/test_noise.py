"""Noise in training segments: what is missed, wrong and moved, and what stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.data import load
from suite.data.request import dataset_request, fingerprint
from suite.data.storage.cards import all_cards, find_card, shipped
from suite.errors import UsageError
from suite.evaluate.segments import Segments
from suite.tasks import task
from suite.tasks.data import TaskData
from suite.tasks.localization.noise import noisy_classes, noisy_segments
from suite.tasks.localization.samples import Videos
from suite.tasks.localization.splits import labels_of_some

CLASSES = 5


def videos(count: int, seed: int) -> Videos:
    """Videos of 20 s with four segments each, drawn at random."""
    draw = np.random.default_rng(seed)
    start = draw.uniform(0, 15, 4 * count)
    segments = Segments(np.repeat(np.arange(count), 4), draw.integers(0, CLASSES, 4 * count), start, start + 3)
    ids = np.array([f"{seed}-{place}" for place in range(count)])
    rows, lengths = draw.normal(size=(20 * count, 2)).astype(np.float32), np.full(count, 20)
    return Videos.annotated(
        ids, rows, lengths, segments, CLASSES, fps=1, stride=1, window=1, duration=np.full(count, 20.0)
    )


def world(served: str = "semi-localization") -> TaskData[Videos]:
    splits = {"train": videos(50, 1), "validation": videos(10, 2), "test": videos(10, 3)}
    return TaskData.of("made", served, map(str, range(CLASSES)), splits, facts={})


def planted(folder: Path, name: str, noise: str) -> str:
    """A card like that of planted-videos, which says that it has ``noise``; its small name."""
    text = (shipped("datasets") / "planted-videos.toml").read_text(encoding="utf-8")
    text = text.replace('name = "planted-videos"', f'name = "{name}"\nnoise = "{noise}"', 1)
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return f"{name}[videos=12,classes=3,video_seconds=20"


def noisy(data: TaskData[Videos] | None = None, seed: int = 0, **dials: Any) -> TaskData[Videos]:
    return noisy_segments(data or world(), {"noise_seed": seed, **dials})


def rows(segments: Segments) -> set[tuple[Any, ...]]:
    return set(zip(segments.video.tolist(), segments.label.tolist(), segments.start.tolist(), segments.end.tolist()))


def test_no_noise_is_the_data_itself() -> None:
    data = world()
    assert noisy(data) is data
    assert noisy(data, segment_drop=0.0, class_flip=0.0, boundary_jitter=0.0, jitter_unit="seconds") is data


def test_only_what_training_sees_changes() -> None:
    data = world()
    found = noisy(data, segment_drop=0.3, class_flip=0.3, boundary_jitter=0.2)
    assert found.validation is data.validation and found.test is data.test
    assert found.train.segments is data.train.segments and found.train.rows is data.train.rows
    assert rows(found.train.known_segments()) != rows(data.train.segments)


def test_missed_segments_are_counted_and_nested() -> None:
    few, many = noisy(segment_drop=0.1), noisy(segment_drop=0.5)
    assert few.facts["noise"]["dropped"] == 20 and many.facts["noise"]["dropped"] == 100
    assert rows(many.train.known_segments()) < rows(few.train.known_segments()) < rows(world().train.segments)
    assert rows(noisy(segment_drop=0.5, seed=1).train.known_segments()) != rows(many.train.known_segments())


def test_flipped_classes_are_others_each_as_likely() -> None:
    truth, found = world().train.segments, noisy(class_flip=1.0)
    seen = found.train.known_segments()
    assert (seen.label != truth.label).all() and found.facts["noise"]["flipped"] == len(truth)
    shifts = np.bincount((seen.label - truth.label) % CLASSES, minlength=CLASSES)
    assert shifts[0] == 0 and shifts[1:].min() > 30  # 200 segments over 4 other classes: 50 ± 6
    part = noisy(class_flip=0.25)
    changed = part.train.known_segments().label != truth.label
    assert changed.sum() == 50 == part.facts["noise"]["flipped"]
    assert np.array_equal(part.train.known_segments().label[changed], seen.label[changed])


@pytest.mark.parametrize(("unit", "expected"), [("share", 0.1 * 3), ("seconds", 0.1)])
def test_boundaries_move_by_the_stated_deviation(unit: str, expected: float) -> None:
    data = world()
    inner = data.train.segments
    inner = replace(inner, start=inner.start + 1, end=inner.end + 1)  # away from the ends of videos
    data = replace(data, train=replace(data.train, segments=inner))
    seen = noisy(data, boundary_jitter=0.1, jitter_unit=unit).train.known_segments()
    shifts = np.concatenate([seen.start - inner.start, seen.end - inner.end])
    assert shifts.std() == pytest.approx(expected, rel=0.15)
    assert abs(shifts.mean()) < 3 * expected / np.sqrt(len(shifts))
    assert np.array_equal(seen.label, inner.label)


def test_boundaries_that_move_far_stay_in_their_video() -> None:
    seen = noisy(boundary_jitter=30.0, jitter_unit="seconds").train.known_segments()
    assert (seen.start >= 0).all() and (seen.end <= 20).all() and (seen.length > 0).all()


def test_who_is_labelled_does_not_depend_on_the_noise() -> None:
    dials = {"labelled": 0.4, "split_seed": 3, "noise_seed": 0}
    clean, found = (labels_of_some(world(), {**dials, "segment_drop": drop}) for drop in (0.0, 0.5))
    assert np.array_equal(clean.train.labelled, found.train.labelled)
    known = len(clean.train.known_segments())
    assert len(found.train.known_segments()) == known - round(0.5 * known)
    assert clean.train.labelled[found.train.known_segments().video].all()


def test_weak_labels_are_those_of_the_segments_that_are_left() -> None:
    data = world("weak-localization")
    found = noisy_classes(data, {"segment_drop": 0.6, "class_flip": 0.3, "noise_seed": 2})
    seen, kept = found.train.known_segments(), np.isin(data.train.ids, found.train.ids)
    expected = np.zeros((len(found.train), CLASSES), dtype=bool)
    for video, label in zip(seen.video, seen.label):
        expected[video, label] = True
    assert np.array_equal(found.train.video_labels, expected) and expected.any(axis=1).all()
    assert found.facts["noise"]["videos left out"] == (~kept).sum() > 0
    assert np.array_equal(found.train.features(3), data.train.features(int(np.flatnonzero(kept)[3])))
    assert not np.array_equal(found.train.video_labels, data.train.video_labels[kept])
    assert found.test is data.test and found.validation is data.validation


def test_jitter_that_could_change_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="boundary_jitter leaves as they are: set segment_drop or class_flip"):
        noisy_classes(world("weak-localization"), {"boundary_jitter": 0.1, "noise_seed": 0})


def test_every_real_dataset_of_segments_and_clips_has_the_dials() -> None:
    for card in all_cards():
        kinds = {task(served).noise for served in card.tasks} - {""}
        if card.kind == "real" and kinds:
            assert {card.noise} == kinds, card.name
            assert "noise_seed" in card.dials
    assert find_card("hapt").label({"boundary_jitter": 0.2}) == "hapt[boundary_jitter=0.2]"


def test_a_card_gets_the_dials_by_a_word_and_its_seed_is_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = planted(tmp_path, "noisy-videos", "segments")
    monkeypatch.setenv("SUITE_DATASETS", str(tmp_path))
    asked = f"{small},class_flip=0.5]"
    first, again, other = (load(asked, "semi-localization", cache=tmp_path, seed=seed) for seed in (0, 0, 1))
    labels = [one.train.known_segments().label.tolist() for one in (first, again, other)]
    assert labels[0] == labels[1] != labels[2]
    assert first.name == asked and np.array_equal(first.train.segments.label, other.train.segments.label)
    prints = [fingerprint(f"{small}{more}]", cache=tmp_path) for more in ("", ",segment_drop=0.1")]
    assert len(set(prints)) == 2


def test_noise_that_a_task_does_not_have_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(tmp_path, "wrong-noise", "labels")
    monkeypatch.setenv("SUITE_DATASETS", str(tmp_path))
    with pytest.raises(UsageError, match='weak-localization has no noise in labels; write noise = "segments"'):
        dataset_request("wrong-noise")
