"""Label splits: counts, coverage, reproducibility, published lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from suite.data.readers.activitynet import read_published_list
from suite.errors import DataError, UsageError
from suite.evaluate.segments import Segments
from suite.tasks.data import TaskData
from suite.tasks.labelled import choose_labelled, missing_classes
from suite.tasks.localization.samples import Videos
from suite.tasks.localization.splits import withhold_segments


def presence(count: int, classes: int = 4) -> np.ndarray:
    labels = np.zeros((count, classes), dtype=bool)
    labels[np.arange(count), np.arange(count) % classes] = True
    return labels


def toy_videos(labels: np.ndarray) -> Videos:
    count = len(labels)
    video, label = np.nonzero(labels)
    ones = np.ones(count)
    return Videos(
        ids=np.array([f"v{i}" for i in range(count)]),
        rows=np.zeros((3 * count, 2), dtype=np.float32),
        offsets=np.arange(count + 1) * 3,
        fps=ones,
        stride=ones,
        window=ones,
        duration=3 * ones,
        video_labels=labels,
        segments=Segments(video, label, np.zeros(len(video)), np.ones(len(video))),
        labelled=np.ones(count, dtype=bool),
        unit=np.arange(count).astype(str),
    )


@pytest.mark.parametrize(("ratio", "expected"), [(0.1, 2), (0.2, 4), (0.4, 8), (1.0, 20), (0.01, 1)])
def test_uniform_counts(ratio: float, expected: int) -> None:
    assert choose_labelled(presence(20), ratio, seed=3).sum() == expected


def test_seed_decides() -> None:
    first, again, other = (choose_labelled(presence(40), 0.4, seed) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_stratified_covers_every_class() -> None:
    labels = presence(41)
    for seed in range(20):
        chosen = choose_labelled(labels, 0.1, seed, stratified=True)
        assert not len(missing_classes(labels, chosen))


def test_video_without_a_class_can_be_drawn() -> None:
    labels = np.vstack([presence(8), np.zeros((4, 4), dtype=bool)])
    assert choose_labelled(labels, 0.25, 0, stratified=True)[8:].sum() == 1


def test_missing_classes_are_told() -> None:
    videos = toy_videos(presence(4))
    data = TaskData("toy", "semi-localization", tuple("abcd"), videos, videos, videos)
    split = withhold_segments(data, {"labelled": 0.25, "split_seed": 0})
    shown = int(np.flatnonzero(split.train.labelled)[0])
    assert split.facts["missing_classes"] == [name for i, name in enumerate("abcd") if i != shown]
    assert len(split.train.known_segments()) == 1
    assert len(split.train.segments) == 4  # evaluation still sees all
    assert split.train.rows is videos.rows  # features are not copied
    assert videos.labelled.all()


@pytest.mark.parametrize("ratio", [0.0, -0.1, 1.5])
def test_ratio_out_of_range(ratio: float) -> None:
    with pytest.raises(UsageError, match="share of the training set"):
        choose_labelled(presence(4), ratio, 0)


def test_published_list(tmp_path: Path) -> None:
    path = tmp_path / "video_info_new_0.9.csv"
    path.write_text("video,subset\na,training\nb,training_unlabel\nc,validation\n")
    assert read_published_list(path, np.array(["b", "a"])).tolist() == [False, True]
    with pytest.raises(DataError, match="does not name 1 training"):
        read_published_list(path, np.array(["a", "z"]))
    path.write_text("name,fold\na,1\n")
    with pytest.raises(DataError, match="no columns"):
        read_published_list(path, np.array(["a"]))
