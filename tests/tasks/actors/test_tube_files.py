"""Tubes and boxes that are linked into tubes, against annotated tubes: overlaps and areas by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from suite.errors import DataError, UsageError
from suite.places import Places
from suite.scoring import Against, score_file
from suite.tasks.actors.scoring.tubes import truth_of_ucf
from suite.tasks.scoring.report import Report
from tests.data.test_ucf101 import write_annotations

LEFT, RIGHT = [0, 0, 9, 9], [50, 0, 59, 9]  # 10 x 10 pixels
TRUTH = {
    "a": [{"label": "Dive", "first": 1, "boxes": [LEFT] * 10}, {"label": "Dive", "first": 1, "boxes": [RIGHT] * 10}],
    "b": [{"label": "Dive", "first": 3, "boxes": [LEFT] * 10}],
}
FOUND = {
    "a": [
        {"label": "Dive", "score": 0.9, "first": 1, "boxes": [LEFT] * 10},  # overlap 1
        {"label": "Dive", "score": 0.8, "first": 1, "boxes": [[80, 80, 89, 89]] * 10},  # 0
        {"label": "Dive", "score": 0.7, "first": 1, "boxes": [RIGHT] * 6},  # 6 / 10
    ],
    "b": [{"label": "Dive", "score": 0.6, "first": 3, "boxes": [[0, 0, 9, 4]] * 10}],  # 50 of 100 pixels
}
# At 0.2 and 0.5 hits on ranks 1, 3, 4; at 0.55 and 0.6 on 1, 3; above on 1.
ALL, TWO = (1 + 3 / 4 + 3 / 4) / 3, (1 + 2 / 3) / 3
AT = {0.2: ALL, 0.5: ALL, 0.55: TWO, 0.6: TWO, 0.65: 1 / 3}


def score(folder: Path, found: dict, truth: dict | None = None, **more: object) -> Report:
    (folder / "found.json").write_text(json.dumps({"tubes": found}))
    (folder / "truth.json").write_text(json.dumps({"tubes": TRUTH if truth is None else truth}))
    against = Against(truth=folder / "truth.json", **{"resamples": 0, **more})  # type: ignore[arg-type]
    return score_file(folder / "found.json", against, Places())[1]


def values(report: Report) -> dict[float | None, float]:
    return {row["threshold"]: row["value"] for row in report.metrics}


def oddities(report: Report) -> dict[str, int]:
    return {one.problem: one.count for one in report.oddities}


def test_tubes_by_hand(tmp_path: Path) -> None:
    report = score(tmp_path, FOUND)
    found = values(report)
    assert {level: found[level] for level in AT} == pytest.approx(AT)
    assert found[None] == pytest.approx((AT[0.5] + 2 * AT[0.55] + 7 * AT[0.65]) / 10)
    assert not report.oddities
    assert report.counts == {"predictions": 4, "tubes": 4, "counted": 4, "ground truths": 3, "videos": 2}
    row = score(tmp_path, FOUND, resamples=50).metrics[0]
    assert row["low"] <= row["value"] <= row["high"]


def test_boxes_on_frames_are_linked_when_tubes_are_asked_for(tmp_path: Path) -> None:
    """The boxes of the four tubes; the third has six frames, fewer than a tube must span, and is dropped."""
    score(tmp_path, FOUND)
    lines = [
        f"{video},{tube['first'] + step},{','.join(map(str, box))},Dive,{tube['score']}"
        for video, tubes in FOUND.items()
        for tube in tubes
        for step, box in enumerate(tube["boxes"])
    ]
    path = tmp_path / "boxes.csv"
    path.write_text("\n".join(line.replace("Dive", "0") for line in lines))
    against = Against(truth=tmp_path / "truth.json", protocol="video-map", resamples=0)
    form, report = score_file(path, against, Places())
    assert form == "boxes on frames, linked"
    assert values(report)[0.2] == pytest.approx((1 + 2 / 3) / 3)
    assert report.counts["tubes"] == 3
    with pytest.raises(UsageError, match="the file holds boxes but"):
        score_file(path, Against(truth=tmp_path / "truth.json"), Places())
    path.write_text("\n".join([*path.read_text().splitlines()[:10], "a,1.5,0,0,9,9,0,0.5", "a,1,0,0,inf,9,0,0.5",
                               "a,1,0,0,9,9,7,0.5", "zz,1,0,0,9,9,0,0.5", "a,1,9,9,0,0,0,0.5"]))  # fmt: skip
    assert oddities(score_file(path, against, Places())[1]) == {
        "unknown video": 1, "unknown label": 1, "number that is infinite": 1, "frame that is no whole number": 1,
        "box without area": 1,
    }  # fmt: skip


def test_what_is_odd_is_counted(tmp_path: Path) -> None:
    good = FOUND["a"][0]
    wrong = [good, {**good, "label": "Swim"}, {**good, "score": float("inf")}, {**good, "boxes": [[0, 0, None, 9]]}]
    report = score(tmp_path, {"a": [good, *wrong], "zz": [{**good, "score": 0.1}]})
    assert oddities(report) == {
        "unknown video": 1, "unknown label": 1, "tube with a number that is not finite": 2, "duplicate tube": 1,
    }  # fmt: skip
    assert values(report)[0.5] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "tube",
    [None, {}, {"label": "Dive"}, {"label": "Dive", "score": 1, "first": "x", "boxes": [LEFT]},
     {"label": "Dive", "score": 1, "first": 1, "boxes": []}, {"label": "Dive", "score": 1, "first": 1, "boxes": [[1]]},
     {"label": "Dive", "score": [], "first": 1, "boxes": [LEFT]},
     {"label": "Dive", "score": 1, "first": -1, "boxes": 0},
     {"label": "Dive", "score": 1, "first": 1, "boxes": [[0, 0, 9, 10**400], [1, 2]]}],
)  # fmt: skip
def test_malformed_tubes_are_one_sentence(tube: object, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="video a, tube 0: needs label, score, first"):
        score(tmp_path, {"a": [tube]})


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="video a: not a list of tubes"):
        score(tmp_path, {"a": None})
    with pytest.raises(DataError, match="annotates no tubes"):
        score(tmp_path, FOUND, {})
    with pytest.raises(UsageError, match="does not apply to tubes"):
        score(tmp_path, FOUND, subset="test")
    with pytest.raises(UsageError, match="no protocol is called 'video-mat'; did you mean 'video-map'"):
        score(tmp_path, FOUND, protocol="video-mat")


def test_the_card_of_ucf101_24_gives_the_tubes_of_the_test_videos(tmp_path: Path) -> None:
    folder = tmp_path / "ucf101_24"
    folder.mkdir()
    box = [11, 21, 111, 141]
    videos = {"Diving/v_Diving_g01_c01": [(1, 5, 14, 10)], "Diving/v_Diving_g09_c01": [(1, 1, 17, 17)]}
    write_annotations(folder / "finalAnnots.mat", videos)
    (folder / "testlist01.txt").write_text("Diving/v_Diving_g01_c01.avi\n")
    found = {"v_Diving_g01_c01": [{"label": 1, "score": 0.5, "first": 5, "boxes": [box] * 10}]}
    (tmp_path / "found.json").write_text(json.dumps({"tubes": found}))
    report = score_file(tmp_path / "found.json", Against("ucf101-24", resamples=0), Places(data=tmp_path))[1]
    assert set(values(report).values()) == {1.0}
    assert (report.counts["videos"], report.counts["ground truths"], report.oddities) == (1, 1, [])
    lines = [f"v_Diving_g01_c01,{frame},{','.join(map(str, box))},1,0.5" for frame in range(5, 15)]
    (tmp_path / "found.csv").write_text("\n".join(lines))
    against = Against("ucf101-24", protocol="video-map", resamples=0)
    assert set(values(score_file(tmp_path / "found.csv", against, Places(data=tmp_path))[1]).values()) == {1.0}


def test_the_real_annotation_scores_itself() -> None:
    root = Path(os.environ.get("SUITE_DATA") or Path(__file__).resolve().parents[3].parent / "shared" / "data")
    folder = root / "ucf101_24"
    if not (folder / "finalAnnots.mat").exists():
        pytest.skip("UCF101-24's annotation is not here: set SUITE_DATA to the folder that holds it")
    from dataclasses import replace

    from suite.evaluate.boxes import Boxes
    from suite.evaluate.linking import Linking, link_boxes
    from suite.evaluate.tubes import video_map

    truth = truth_of_ucf(folder / "finalAnnots.mat", folder / "testlist01.txt")
    tubes = truth.tubes
    assert len(truth.videos) == 910
    assert len(truth.classes) == 24
    assert video_map(tubes, replace(tubes, score=np.ones(len(tubes)))) == pytest.approx([1.0, 1.0, 1.0])
    owner = np.repeat(np.arange(len(tubes)), np.diff(tubes.offsets))
    frame = tubes.first[owner] + np.arange(len(owner)) - tubes.offsets[owner]
    boxes = Boxes(frame, tubes.label[owner], tubes.box, np.random.default_rng(0).uniform(0.5, 1, len(owner)))
    again = link_boxes(boxes, tubes.video[owner], Linking(), plus=1.0)
    assert video_map(tubes, again, (0.2,))[0] > 0.9
