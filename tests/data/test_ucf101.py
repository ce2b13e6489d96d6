"""The UCF101-24 reader on the real MATLAB annotation and on files in the published layout."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from suite.data.readers.ucf101 import counts, group_of, read
from suite.data.storage.cards import find_card
from suite.errors import DataError
from suite.tasks.actors.ucf_files import read_test_list, read_tubes

REAL = (
    Path(os.environ.get("SUITE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data") / "ucf101_24"
)


def write_annotations(path: Path, videos: dict[str, list[tuple[int, int, int, int]]]) -> None:
    """``finalAnnots.mat`` in the published layout: per video tubes of (class, first frame, last frame, boxes)."""
    from scipy.io import savemat

    tube = [("ef", "O"), ("sf", "O"), ("class", "O"), ("boxes", "O")]
    entries = np.zeros((1, len(videos)), dtype=[("num_imgs", "O"), ("name", "O"), ("tubes", "O")])
    for place, (name, tubes) in enumerate(videos.items()):
        rows = np.zeros((1, len(tubes)), dtype=tube)
        for index, (label, first, last, count) in enumerate(tubes):
            boxes = np.tile(np.array([[11, 21, 100, 120]]), (count, 1))
            rows[0, index] = (np.array([[last]]), np.array([[first]]), np.array([[label]]), boxes)
        entries[0, place] = (np.array([[60]]), name, rows)
    savemat(path, {"annot": entries})


@pytest.fixture
def published(tmp_path: Path) -> Path:
    write_annotations(
        tmp_path / "finalAnnots.mat",
        {
            "Diving/v_Diving_g01_c01": [(1, 5, 14, 10)],
            "Diving/v_Diving_g09_c01": [(1, 1, 17, 17), (1, 9, 12, 4)],
            "Fencing/v_Fencing_g25_c02": [(2, 1, 8, 8)],
        },
    )
    (tmp_path / "testlist01.txt").write_text("Diving/v_Diving_g01_c01.avi\n")
    return tmp_path


def read_published(folder: Path, **dials: object):
    card = find_card("ucf101-24")
    return read(card, folder, card.resolve_dials(dials), "actor-detection")


def test_tubes_become_boxes_of_frames(published: Path) -> None:
    data = read_published(published, boxes="annotated")
    assert data.classes == ("Diving", "Fencing")
    assert data.train.clip_ids.tolist() == [f"Diving/v_Diving_g09_c01,{second}" for second in ("0", "0.32", "0.64")]
    assert data.train.clip.tolist() == [0, 1, 1, 2], "two people dive at frame 8"
    assert np.allclose(data.train.box[0] * [320, 240, 320, 240], [11, 21, 111, 141], atol=1e-4)
    assert data.test.second.tolist() == pytest.approx([frame / 25 for frame in range(4, 14)]), "every annotated frame"
    assert data.validation.unit.tolist() == ["Fencing/g25"], "groups 24 and 25 validate"


def test_frame_folders_are_read_by_the_number_of_the_frame(published: Path) -> None:
    from PIL import Image

    folder = published / "rgb-images" / "Diving" / "v_Diving_g09_c01"
    folder.mkdir(parents=True)
    for number in range(1, 61):
        Image.fromarray(np.full((24, 32, 3), number * 4, dtype=np.uint8)).save(folder / f"{number:05d}.jpg")
    clip = read_published(published, boxes="annotated").train.frames.clip(1)
    assert clip.shape[0] == 32
    assert abs(int(clip[16].mean()) - 9 * 4) <= 2, "the key frame, number 9, is element 16"


def test_detections_in_pixels(published: Path) -> None:
    rows = [
        "Diving/v_Diving_g01_c01,5,11,21,111,141,0.9",
        "Diving/v_Diving_g01_c01,40,200,20,300,100,0.4",
        "Other,1,0,0,9,9,1",
    ]
    (published / "detections.csv").write_text("\n".join(rows) + "\n")
    test = read_published(published).test
    assert len(test) == 2
    assert test.labels.tolist() == [[True, False], [False, False]]
    assert len(test.truth_box) == 10
    assert len(read_published(published, boxes="annotated").test) == 10
    (published / "detections.csv").write_text("Diving/v_Diving_g01_c01,5,11\n")
    with pytest.raises(DataError, match="line 1"):
        read_published(published)


def test_detections_between_key_frames_are_not_scored(published: Path) -> None:
    """Frames of the grid are, without annotation, too: a protocol may count false positives there."""
    test, validation = "Diving/v_Diving_g01_c01", "Fencing/v_Fencing_g25_c02"
    rows = [f"{video},{frame},11,21,111,141,0.9" for video in (test, validation) for frame in range(1, 31)]
    (published / "detections.csv").write_text("\n".join(rows) + "\n")
    data = read_published(published, test_stride=10)
    assert np.rint(data.test.second * 25).tolist() == [0, 10, 20]
    assert np.rint(data.validation.second * 25).tolist() == [0, 8, 16, 24]
    assert len(data.test.truth_box) == 1 and len(read_published(published).test) == 30


def test_annotated_boxes_are_scored_only_when_asked_for(published: Path) -> None:
    """They are another protocol: a score on them must not stand under the name of the published one."""
    with pytest.raises(DataError, match="say boxes=annotated"):
        read_published(published)
    card = find_card("ucf101-24")
    assert card.label({"boxes": "annotated"}) == "ucf101-24[boxes=annotated]"
    assert card.say("boxes", "annotated") == "annotated boxes are scored"


def test_training_on_detected_boxes(published: Path) -> None:
    rows = ["Diving/v_Diving_g09_c01,9,11,21,111,141,0.2", "Diving/v_Diving_g09_c01,10,11,21,111,141,0.9"]
    (published / "detections.csv").write_text("\n".join(rows) + "\n")
    train = read_published(published, train_boxes="detected").train
    assert train.clip_ids.tolist() == ["Diving/v_Diving_g09_c01,0.32"], "frame 10 is no key frame"
    assert train.labels.tolist() == [[True, False]]
    assert len(read_published(published, train_boxes="both").train) == 4 + 1


def test_people_halfway_between_key_frames_are_unlabelled(published: Path) -> None:
    """Detected ones on annotated training frames; the test and the labelled clips stay as they are."""
    video = "Diving/v_Diving_g09_c01"
    rows = [f"{video},{frame},11,21,111,141,0.9" for frame in (1, 5, 13, 14, 60)]
    (published / "detections.csv").write_text("\n".join([*rows, "Diving/v_Diving_g01_c01,5,1,1,9,9,0.9"]) + "\n")
    train = read_published(published, unlabelled="between").train
    assert train.second[~train.labelled].tolist() == [4 / 25, 12 / 25], "frames 5 and 13, the first of which is 1"
    assert not train.labels[~train.labelled].any() and len(train) == 6
    assert read_published(published, unlabelled="between", key_stride=1).train.labelled.all()
    (published / "detections.csv").unlink()
    with pytest.raises(DataError, match="say unlabelled=none"):
        read_published(published, unlabelled="between", boxes="annotated")


def test_damaged_annotations_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.mat").write_text("not a MATLAB file")
    with pytest.raises(DataError, match="not the MATLAB annotation"):
        read_tubes(tmp_path / "text.mat")
    write_annotations(tmp_path / "short.mat", {"Diving/v_Diving_g01_c01": [(1, 1, 20, 3)]})
    with pytest.raises(DataError, match="3 boxes for frames 1-20"):
        read_tubes(tmp_path / "short.mat")


def test_groups() -> None:
    assert group_of("Diving/v_Diving_g07_c01") == "Diving/g07"


@pytest.mark.skipif(not REAL.is_dir(), reason=f"{REAL} is not here: set SUITE_DATA")
def test_real_annotation() -> None:
    card = find_card("ucf101-24")
    measured = counts(card, REAL, None)
    assert measured == {"videos": 3194, "tubes": 4458, "boxes": 573862, "test_videos": 910}
    tubes = read_tubes(REAL / "finalAnnots.mat")
    assert len(tubes.classes) == 24
    assert len(read_test_list(REAL / "testlist01.txt")) >= 910
    assert (tubes.box[:, 2:] > tubes.box[:, :2]).all()
