"""Annotations without features: published files, cards whose annotation files are enough, packed datasets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from suite.data import find_card, load
from suite.errors import DataError
from suite.tasks.actors.scoring import boxes
from suite.tasks.actors.scoring.files import BoxFiles
from suite.tasks.localization.scoring.annotations import truth_from_file, video_names
from suite.tasks.localization.scoring.truth import only_videos, truth_of_data
from suite.tasks.scoring.files import Choice
from tests.data.conftest import Toy, toy

__all__ = ["toy"]  # a fixture

DATABASE = {
    "a": {
        "subset": "validation",
        "annotations": [
            {"segment": ["1.5", "2"], "label": "Run", "label_id": 9},
            {"segment": [3, 4], "label": "Ambiguous", "label_id": 0},
            {"segment": [5, 6], "label": "Dive", "label_id": 4},
        ],
    },
    "b": {"subset": "Validation", "annotations": []},
    "c": {"subset": "training", "annotations": [{"segment": [0, 1], "label": "Walk"}]},
}


@pytest.mark.parametrize("wrapped", [True, False])
def test_activitynet_json(wrapped: bool, tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({"database": DATABASE} if wrapped else DATABASE))
    truth = truth_from_file(path, Choice("validation"))
    assert truth.videos == ("a", "b")
    assert truth.classes == ("Dive", "Run")
    assert truth.segments.start.tolist() == [1.5, 5.0]
    assert truth.segments.label.tolist() == [1, 0]
    assert truth.ambiguous.start.tolist() == [3.0]
    assert {name: truth.numbers[name] for name in truth.classes} == {"Dive": 4, "Run": 9}
    alone = only_videos(truth, {"b"})
    assert (alone.videos, len(alone.segments), alone.left_out) == (("b",), 0, frozenset({"a"}))
    with pytest.raises(DataError, match="no videos of the subset 'test', only of Validation, training, validation"):
        truth_from_file(path, Choice("test"))
    path.write_text('{"a": {"annotations": [{"segment": [1], "label": "x"}]}}')
    with pytest.raises(DataError, match="is no annotation file"):
        truth_from_file(path, Choice())


def test_video_lists(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("video,seconds,subset\na,1,training\nb,2,validation\n")
    assert video_names(path, "validation") == {"b"}
    path.write_text("a\nb\n\n")
    assert video_names(path, "validation") == {"a", "b"}
    with pytest.raises(DataError, match="there is no video list"):
        video_names(tmp_path / "gone", "test")


def ava_folder(folder: Path) -> Path:
    """The annotation files of a small AVA, in the published layout."""
    entries = "".join(f'item {{\n name: "class {k}"\n id: {k}\n}}\n' for k in (1, 3, 12))
    (folder / "map.pbtxt").write_text(entries)
    rows = ["v,0902,0.1,0.1,0.5,0.5,12,0", "v,0902,0.1,0.1,0.5,0.5,1,0", "v,0903,0.2,0.2,0.6,0.6,3,0"]
    (folder / "val.csv").write_text("\n".join(rows))
    (folder / "excluded.csv").write_text("v,0903\n")
    return folder


def test_an_ava_card_needs_its_annotation_files_only(tmp_path: Path) -> None:
    folder = ava_folder(tmp_path)
    card = find_card("ava-v2.2")
    assert BoxFiles().truth_from_card(card, folder, Choice()) is None, "its files have other names"
    options = {"test": "val.csv", "label_map": "map.pbtxt", "test_excluded": "excluded.csv"}
    truth = BoxFiles().truth_from_card(card.model_copy(update={"options": options}), folder, Choice())
    assert truth is not None
    assert truth.frames == (("v", 902.0), ("v", 903.0))
    assert truth.classes == ("class 1", "class 3", "class 12")
    assert truth.numbers == {"class 1": 1, "class 3": 3, "class 12": 12}
    assert sorted(zip(truth.boxes.frame.tolist(), truth.boxes.label.tolist())) == [(0, 0), (0, 2), (1, 1)]
    assert truth.excluded == {("v", 903.0)}
    bare = BoxFiles().truth_from_file(folder / "val.csv", Choice())
    assert bare.classes == ("1", "3", "12")


def test_packed_datasets_show_their_test_split(toy: Toy) -> None:
    data = load("toy", "weak-localization")
    truth = truth_of_data(data)
    assert truth.videos == tuple(data.test.ids.tolist())
    np.testing.assert_array_equal(truth.segments.label, data.test.segments.label)


def test_actors_show_their_boxes() -> None:
    from suite.tasks.actors.samples import Actors
    from suite.tasks.data import TaskData

    box = np.array([[0.1, 0.1, 0.5, 0.5], [0.2, 0.2, 0.6, 0.6]])
    labels = np.array([[True, False, True], [False, True, False]])
    nothing = np.zeros((2, 0))
    people = Actors(
        ids=np.array(["p", "q"]), clip=np.array([0, 1]), clip_ids=np.array(["v,902.000000", "v,903.000000"]),
        video=np.array(["v", "v"]), second=np.array([902.0, 903.0]), box=box, box_score=np.ones(2), labels=labels,
        labelled=np.ones(2, dtype=bool), features=nothing, truth_clip=np.array([0, 1]), truth_box=box,
        truth_labels=labels, unit=np.array(["v", "v"]),
    )  # fmt: skip
    data = TaskData("x", "actor-detection", ("a", "b", "c"), people, people, people, facts={"class_ids": [1, 3, 12]})
    truth = boxes.truth_of_data(data)
    assert truth.frames == (("v", 902.0), ("v", 903.0))
    assert truth.numbers == {"a": 1, "b": 3, "c": 12}
    assert sorted(zip(truth.boxes.frame.tolist(), truth.boxes.label.tolist())) == [(0, 0), (0, 2), (1, 1)]
    unnamed = boxes.truth_of_data(replace(data, facts={}))
    assert unnamed.numbers == {"a": 0, "b": 1, "c": 2}
