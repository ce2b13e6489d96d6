"""Which videos of a truth count: those that the card names, those asked for, and never all of them in silence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Typed, sentence

# The layout of BMN's annotation: no subsets, which stand in a csv beside it.
BMN = {
    "v_a": {"duration_second": 30.0, "annotations": [{"segment": [0, 10], "label": "Run"}]},
    "v_b": {"duration_second": 30.0, "annotations": [{"segment": [5, 9], "label": "Dive"}]},
    "v_c": {"duration_second": 30.0, "annotations": [{"segment": [5, 9], "label": "Run"}]},
    "v_d": {"duration_second": 30.0, "annotations": [{"segment": [0, 4], "label": "Walk"}]},
}
INFO = "video,numFrame,subset\nv_a,100,validation\nv_b,100,validation\nv_c,100,training\nv_d,100,testing\n"
CARD = """
name = "small-anet"
title = "ActivityNet, small"
tasks = ["semi-localization"]
reader = "activitynet"
folder = "anet"
source = "https://example.org"
licence = "none"
citation = "none"
[[files]]
path = "anno.json"
[options]
test_subsets = ["validation"]
subset_list = "info.csv"
[protocols.default]
temporal = "activitynet"
expected_videos = 2
"""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A card whose annotation leaves the subsets to a list, and the annotated segments as a submission."""
    folder = tmp_path / "data" / "anet"
    folder.mkdir(parents=True)
    (folder / "anno.json").write_text(json.dumps(BMN))
    (folder / "info.csv").write_text(INFO)
    (tmp_path / "small-anet.toml").write_text(CARD)
    monkeypatch.setenv("SUITE_DATASETS", str(tmp_path))
    submit(tmp_path, "v_a", "v_b")
    return tmp_path


def submit(folder: Path, *videos: str) -> None:
    rows = {name[2:]: [{**row, "score": 1.0} for row in BMN[name]["annotations"]] for name in videos}
    (folder / "found.json").write_text(json.dumps({"results": rows}))


def told(typed: Typed, folder: Path, *more: object) -> dict[str, Any]:
    command = ("evaluate", folder / "found.json", "--dataset", "small-anet", "--data", folder / "data")
    found: dict[str, Any] = json.loads(typed(*command, "--resamples", 0, "--json", *more)[0])
    return found


def test_the_card_says_which_videos_count(typed: Typed, small: Path) -> None:
    found = told(typed, small, "--strict")
    assert (found["counts"]["videos"], found["counts"]["videos expected"]) == (2, 2)
    assert found["metrics"][0]["value"] == 1.0
    assert found["counts"]["videos without predictions"] == 0
    out, _ = typed("evaluate", small / "found.json", "--dataset", "small-anet", "--data", small / "data")
    assert "2 videos, 2 videos expected" in out


def test_another_subset_is_scored_when_asked_for_and_said_to_be_another(typed: Typed, small: Path) -> None:
    found = told(typed, small, "--subset", "training")
    (odd,) = (one for one in found["findings"] if "expects" in one["problem"])
    assert odd["problem"] == "video of the truth, where activitynet expects 2"
    assert odd["count"] == found["counts"]["videos"] == 1


def test_an_unknown_subset_is_an_error(typed: Typed, small: Path) -> None:
    command = ("evaluate", small / "found.json", "--dataset", "small-anet", "--data", small / "data")
    line = sentence(typed(*command, "--subset", "nonsense", code=1)[1])
    assert "no videos of the subset 'nonsense', only of testing, training, validation" in line
    alone = ("evaluate", small / "found.json", "--truth", small / "data/anet/anno.json", "--subset", "nonsense")
    assert "states no subsets, so 'nonsense' is unknown" in sentence(typed(*alone, code=1)[1])
    (small / "data/anet/info.csv").unlink()
    assert "there is no video list" in sentence(typed(*command, code=1)[1])


def test_videos_of_other_subsets_are_false_positives_that_are_named(typed: Typed, small: Path) -> None:
    """The number of videos without predictions counts videos of the truth alone, and never goes below 0."""
    submit(small, "v_a", "v_b", "v_c", "v_d")
    found = told(typed, small)
    assert found["counts"]["videos without predictions"] == 0
    (odd,) = (one for one in found["findings"] if "another subset" in one["problem"])
    assert (odd["count"], odd["example"]) == (2, "c")
    submit(small, "v_c")
    assert told(typed, small)["counts"]["videos without predictions"] == 2


def test_equal_scores_that_matter_are_told(typed: Typed, small: Path) -> None:
    """Run has one truth, and two detections with one score: found first it has AP 1, found last 1/2; Dive has 1."""
    submit(small, "v_a", "v_b", "v_c")
    ties = told(typed, small)["equal scores"]
    assert ties == {"predictions": 2, "low": 0.75, "high": 1.0}
    out, _ = typed("evaluate", small / "found.json", "--dataset", "small-anet", "--data", small / "data")
    assert "equal scores: 2 predictions share theirs with others" in out
    assert "mAP runs from 0.7500 to 1.0000" in out
    submit(small, "v_a", "v_b")
    assert told(typed, small)["equal scores"] is None


def test_boxes_and_the_ledgers_form_have_no_subsets(typed: Typed, tmp_path: Path) -> None:
    for name in ("boxes.csv", "truth.csv"):
        (tmp_path / name).write_text("v,902,0.1,0.1,0.2,0.2,1" + (",0.5\n" if name == "boxes.csv" else "\n"))
    command = ("evaluate", tmp_path / "boxes.csv", "--truth", tmp_path / "truth.csv")
    assert "--subset does not apply to boxes" in sentence(typed(*command, "--subset", "val", code=2)[1])


def test_the_card_of_activitynet_scores_4728_videos(typed: Typed, tmp_path: Path) -> None:
    """The annotated segments as a submission find all of themselves, and of nothing else."""
    root = Path(os.environ.get("SUITE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
    if not (root / "activitynet13/anet_anno_action.json").exists():
        pytest.skip("ActivityNet's annotation is not here: set SUITE_DATA to the folder that holds it")
    annotated = json.loads((root / "activitynet13/anet_anno_action.json").read_text())
    rows = {v[2:]: [{**row, "score": 1.0} for row in entry["annotations"]] for v, entry in annotated.items()}
    kept = {line.split(",")[0][2:] for line in (root / "activitynet13/video_info_new.csv").read_text().splitlines()
            if ",validation," in line}  # fmt: skip
    (tmp_path / "found.json").write_text(json.dumps({"results": {v: rows[v] for v in rows if v in kept}}))
    command = ("evaluate", tmp_path / "found.json", "--dataset", "activitynet-13", "--data", root)
    found = json.loads(typed(*command, "--resamples", 0, "--json")[0])
    assert found["counts"]["videos"] == found["counts"]["videos expected"] == 4728
    assert found["metrics"][0]["value"] == pytest.approx(1.0, abs=2e-3)
    assert found["equal scores"]["high"] - found["equal scores"]["low"] < 0.01
    line = sentence(typed(*command, "--subset", "nonsense", code=1)[1])
    assert "only of testing, training, validation" in line
    more = {f"unknown{number}": rows[sorted(kept)[number]] for number in range(198)}
    (tmp_path / "found.json").write_text(json.dumps({"results": {**{v: rows[v] for v in kept}, **more}}))
    found = json.loads(typed(*command, "--resamples", 0, "--json")[0])
    assert found["counts"]["videos without predictions"] == 0
    assert found["metrics"][0]["value"] == pytest.approx(0.97, abs=0.01)
    assert (found["equal scores"]["low"], found["equal scores"]["high"]) == pytest.approx((0.96, 1.0), abs=0.01)
