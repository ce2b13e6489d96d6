"""The AVA reader on the real v1.0 annotations and on files in the published v2 layout."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from suite.data import load
from suite.data.readers.ava import box_overlap, copy_labels, read
from suite.data.storage.cards import find_card
from suite.errors import DataError
from suite.tasks.actors.ava_files import label_map, read_annotations, read_detections

REAL = Path(os.environ.get("SUITE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data") / "ava_v1"
MAP_2018 = """item {
  name: "bend/bow (at the waist)"
  id: 1
}
item {
  name: "sit"
  id: 11
}
item {
  name: "talk to"
  id: 79
}
"""
TRAIN = """aa,0902,0.1,0.2,0.5,0.9,11,0
aa,0902,0.1,0.2,0.5,0.9,79,0
aa,0902,0.6,0.2,0.9,0.9,11,1
aa,0903,0.1,0.2,0.5,0.9,1,0
aa,0903,0.1,0.2,0.5,0.9,2,0
bb,0902,0.0,0.0,1.0,1.0,79,5
cc,1000,0.3,0.3,0.6,0.8,80,2
"""
VAL = """vv,0902,0.1,0.1,0.4,0.8,11,0
vv,0902,0.1,0.1,0.4,0.8,79,0
vv,0905,0.1,0.1,0.4,0.8,1,0
vv,0910,0.5,0.1,0.9,0.8,1,0
"""
VAL_BOXES = """vv,0902,0.11,0.1,0.4,0.8,,0.97
vv,0902,0.7,0.1,0.9,0.3,,0.5
vv,0905,0.6,0.6,0.9,0.9,,0.91
vv,0910,0.5,0.1,0.9,0.8,,0.99
"""
UNLABELLED = """aa,0902.5,0.1,0.2,0.5,0.9,,0.95
aa,0902.5,0.2,0.2,0.5,0.9,,0.2
aa,0902,0.6,0.2,0.9,0.9,,0.95
zz,0902.5,0,0,1,1,,0.99
"""


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """The published v2.2 files, in small."""
    folder = tmp_path / "ava_v2.2"
    folder.mkdir()
    (folder / "ava_action_list_v2.2_for_activitynet_2019.pbtxt").write_text(MAP_2018)
    (folder / "ava_train_v2.2.csv").write_text(TRAIN)
    (folder / "ava_val_v2.2.csv").write_text(VAL)
    (folder / "ava_val_excluded_timestamps_v2.2.csv").write_text("vv,0910\n")
    (folder / "ava_val_predicted_boxes.csv").write_text(VAL_BOXES)
    (folder / "ava_unlabelled_predicted_boxes.csv").write_text(UNLABELLED)
    return folder


def read_published(folder: Path, **dials: object):
    card = find_card("ava-v2.2")
    return read(card, folder, card.resolve_dials({"holdout": 0.0, **dials}), "actor-detection")


def test_rows_of_one_person_become_one_label_set(published: Path) -> None:
    train = read_published(published).train
    annotated = train.labels[train.labelled]
    assert annotated.tolist() == [[0, 1, 1], [0, 1, 0], [1, 0, 0], [0, 0, 1]], "class 2 and 80 are not in the map"
    assert train.clip_ids.tolist() == ["aa,902", "aa,902.50", "aa,903", "bb,902"]


def test_unlabelled_key_frames_are_confident_boxes_between_the_annotated_seconds(published: Path) -> None:
    train = read_published(published).train
    assert train.ids[~train.labelled].tolist() == ["aa,902.50,0"]
    assert not train.labels[~train.labelled].any()


def test_detected_boxes_are_scored_against_annotated_ones(published: Path) -> None:
    test = read_published(published).test
    assert test.clip_ids.tolist() == ["vv,902", "vv,905"], "the excluded second is in neither"
    assert test.box_score.tolist() == pytest.approx([0.97, 0.91]), "the box of score 0.5 is below the threshold"
    assert test.labels.tolist() == [[0, 1, 1], [0, 0, 0]]
    assert test.truth_labels.tolist() == [[0, 1, 1], [1, 0, 0]]


def test_annotated_boxes_on_request(published: Path) -> None:
    test = read_published(published, boxes="annotated").test
    assert np.array_equal(test.box, test.truth_box)


def test_the_test_never_falls_back_to_annotated_boxes(published: Path) -> None:
    (published / "ava_val_predicted_boxes.csv").unlink()
    with pytest.raises(DataError, match="boxes=annotated"):
        read_published(published)
    assert len(read_published(published, boxes="annotated").test) == 2


TRAIN_BOXES = """aa,0902,0.1,0.2,0.5,0.91,,0.95
aa,0902,0.7,0.2,0.9,0.9,,0.95
aa,0902,0.6,0.2,0.9,0.9,,0.3
aa,0902.5,0.1,0.2,0.5,0.9,,0.95
aa,0903,0.1,0.2,0.5,0.9,,0.99
"""


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        # IoU .99 with the first person; .67 with the second, too little; 903 is met; bb has no detection
        ("detected", [("aa,902", [0, 1, 1]), ("aa,902", [0, 0, 0]), ("aa,903", [1, 0, 0])]),
        (
            "both",
            [
                ("aa,902", [0, 1, 1]), ("aa,902", [0, 1, 0]), ("aa,902", [0, 1, 1]), ("aa,902", [0, 0, 0]),
                ("aa,903", [1, 0, 0]), ("aa,903", [1, 0, 0]), ("bb,902", [0, 0, 1]),
            ],
        ),
    ],
)  # fmt: skip
def test_labelled_clips_train_on_detected_boxes(published: Path, boxes: str, expected: list) -> None:
    (published / "ava_train_predicted_boxes.csv").write_text(TRAIN_BOXES)
    train = read_published(published, train_boxes=boxes).train
    rows = train.labelled
    found = zip(train.clip_ids[train.clip[rows]].tolist(), train.labels[rows].astype(int).tolist(), strict=True)
    assert sorted(found) == sorted(expected)
    wider = read_published(published, train_boxes="detected", train_overlap=0.5).train
    assert wider.labels[wider.labelled].astype(int).tolist()[1] == [0, 1, 0]


def test_training_on_detected_boxes_needs_them(published: Path) -> None:
    with pytest.raises(DataError, match=r"ava_train_predicted_boxes.csv is missing; .* train_boxes=annotated"):
        read_published(published, train_boxes="both")


def test_held_out_videos_validate(published: Path) -> None:
    data = read_published(published, holdout=0.5)
    assert set(data.validation.video) | set(data.train.video) == {"aa", "bb"}
    assert not set(data.validation.video) & set(data.train.video)


def test_frames_are_counted_from_the_fifteenth_minute(published: Path) -> None:
    (published / "frames").mkdir()
    source = read_published(published).train.frames
    assert source.files[0].endswith("frames/aa")
    assert source.centres.tolist() == [60, 75, 90, 60]
    assert source.pattern.format(name="aa", index=source.centres[0] + 1) == "aa_000061.jpg"


def test_whole_videos_are_counted_from_their_beginning(published: Path) -> None:
    (published / "videos").mkdir()
    (published / "videos" / "vv.webm").write_bytes(b"")
    source = read_published(published).test.frames
    assert source.files[0].endswith("vv.webm")
    assert source.centres.tolist() == [902 * 30, 905 * 30]


def test_card_loads_through_the_store(published: Path, tmp_path: Path) -> None:
    data = load("ava-v2.2[holdout=0]", root=published.parent, cache=tmp_path / "cache")
    assert data.classes == ("bend/bow (at the waist)", "sit", "talk to")
    assert data.facts["poses"] == 2


@pytest.mark.parametrize(
    "text",
    [
        "aa,902,0.1,0.2,0.5,0.9\n",
        "aa,902,0.1,0.2,0.5,0.9,eleven,0\n",
        "aa,902,x,0.2,0.5,0.9,11,0\n",
        "aa,902,nan,0,1,1,11,0\n",
    ],
)
def test_malformed_annotations_are_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ava_train_v2.2.csv"
    path.write_text(text)
    with pytest.raises(DataError, match="get the file again"):
        read_annotations(path, [1, 11, 79])


def test_malformed_detections_name_their_line(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text("aa,902,0.1,0.2,0.5,0.9,,0.9\naa,902,0.1\n")
    with pytest.raises(DataError, match="line 2"):
        read_detections(path, 3, 0.5)


def test_empty_label_map(tmp_path: Path) -> None:
    (tmp_path / "map.pbtxt").write_text("nothing here")
    with pytest.raises(DataError, match="names no class"):
        label_map(tmp_path / "map.pbtxt")


def test_overlap_of_boxes_by_hand() -> None:
    boxes = np.array([[0, 0, 1, 1], [0.5, 0, 1.5, 1], [2, 2, 2, 3.0]])
    assert box_overlap(boxes, boxes)[0].tolist() == pytest.approx([1, 1 / 3, 0])
    assert box_overlap(boxes, boxes)[2].tolist() == [0, 0, 0], "a box without area overlaps nothing, itself included"


@pytest.mark.skipif(not REAL.is_dir(), reason=f"{REAL} is not here: set SUITE_DATA")
def test_real_annotations_of_version_one() -> None:
    names, poses = label_map(REAL / "ava_action_list_v1.0.pbtxt")
    table = read_annotations(REAL / "ava_test_v1.0.csv", sorted(names))
    assert (len(names), len(poses), len(table), len(np.unique(table.video))) == (80, 14, 18824, 38)
    assert table.labels.sum() == 41425
    assert np.bincount(table.labels.sum(axis=1)).tolist() == [0, 3336, 9551, 4868, 970, 91, 8]
    assert table.labels.any(axis=0).sum() == 76
    assert copy_labels(table.take(np.arange(50)), table).labels.any(axis=1).all()


@pytest.mark.skipif(not REAL.is_dir(), reason=f"{REAL} is not here: set SUITE_DATA")
def test_version_one_is_read_by_its_card(tmp_path: Path) -> None:
    """The published test annotations, and three of their videos in place of the training ones."""
    folder = tmp_path / "ava_v1"
    folder.mkdir()
    for name in ("ava_test_v1.0.csv", "ava_action_list_v1.0.pbtxt"):
        (folder / name).write_bytes((REAL / name).read_bytes())
    lines = (folder / "ava_test_v1.0.csv").read_text().splitlines(keepends=True)
    names = sorted({line.partition("\t")[0] for line in lines})[:3]
    renamed = [f"train-{line}" for line in lines if line.partition("\t")[0] in names]
    (folder / "ava_train_v1.0.csv").write_text("".join(renamed))
    data = load("ava-v1.0[holdout=0.34,labelled=0.5]", root=tmp_path, cache=tmp_path / "cache")
    assert (len(data.classes), data.facts["poses"], len(data.test)) == (80, 14, 18824)
    assert [len(np.unique(split.video)) for split in (data.train, data.validation)] == [1, 1]
    assert data.test.frames is None
