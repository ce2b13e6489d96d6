"""``suite evaluate`` on files written in each published form, over small truths and the real annotations."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from suite.data import load
from suite.evaluate.protocols import AVA, THUMOS_210
from suite.evaluate.spatial import frame_map
from suite.evaluate.temporal import temporal_map
from suite.tasks.actors.scoring.boxes import join_boxes, read_boxes
from suite.tasks.actors.scoring.boxes import truth_from_file as boxes_from_file
from suite.tasks.localization.scoring.annotations import truth_from_file
from suite.tasks.localization.scoring.forms import THUMOS_CLASSES, read_segments
from suite.tasks.localization.scoring.join import join_segments
from suite.tasks.scoring.contents import open_contents
from suite.tasks.scoring.files import Choice
from tests.cli.conftest import Typed, sentence
from tests.data.conftest import Toy, toy
from tests.golden import golden

__all__ = ["toy"]  # a fixture

DIVE, RUN = {"segment": [0, 10], "label": "Diving"}, {"segment": ["20", "30"], "label": "Run"}
TRUTH = {
    "database": {
        "a": {"subset": "test", "annotations": [DIVE, RUN]},
        "b": {"subset": "Test", "annotations": [{"segment": [5, 9], "label": "Run"}]},
        "c": {"subset": "train", "annotations": [{"segment": [5, 9], "label": "Walk"}]},
    }
}
FOUND = {
    "results": {
        "a": [
            {"segment": [0, 10], "label": "Diving", "score": 0.9},
            {"segment": [20, 28], "label": "Run", "score": 0.8},
        ],
        "b": [{"segment": [5, 9], "label": "Run", "score": 0.7}],
    }
}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "truth.json").write_text(json.dumps(TRUTH))
    (tmp_path / "found.json").write_text(json.dumps(FOUND))
    return tmp_path / "found.json", tmp_path / "truth.json"


def scores(out: str) -> dict[tuple[str, float | None], float]:
    return {(row["metric"], row["threshold"]): row["value"] for row in json.loads(out)["metrics"]}


def test_a_perfect_file(typed: Typed, files: tuple[Path, Path]) -> None:
    out, _ = typed("evaluate", files[0], "--truth", files[1], "--protocol", "basnet", "--resamples", 50)
    assert "3 predictions, 3 counted, 3 ground truths, 2 videos" in out
    assert "odd" not in out
    assert "95 % bootstrap interval" in out
    told = json.loads(typed("evaluate", files[0], "--truth", files[1], "--resamples", 50, "--json", "--strict")[0])
    assert told["form"] == "ActivityNet JSON"
    assert told["protocol"] == "activitynet"
    first = told["metrics"][0]
    assert first["metric"] == "mAP"
    assert first["threshold"] is None
    assert first["low"] <= first["value"] <= first["high"]
    assert [row["class"] for row in told["classes"]] == ["Diving", "Run"]


def test_oddities_are_counted_and_strict_makes_them_errors(typed: Typed, files: tuple[Path, Path]) -> None:
    odd = json.loads(json.dumps(FOUND))
    odd["results"]["zz"] = [{"segment": [9, 5], "label": "Run", "score": 0.99}]
    odd["results"]["a"] += [{"segment": [0, 1], "label": "Fly", "score": None}]
    files[0].write_text(json.dumps(odd))
    command = ("evaluate", files[0], "--truth", files[1], "--resamples", 0)
    out, _ = typed(*command, "--per-class")
    assert "odd: 1 x unknown video, e.g. zz (counted as false positives)" in out
    assert "odd: 1 x segment that ends before it starts" in out
    assert "odd: 1 x unknown label, e.g. Fly (ignored)" in out
    assert "odd: 1 x time or score that is not a number" in out
    assert "Diving" in out
    assert scores(typed(*command, "--json")[0])[("mAP", 0.5)] == pytest.approx((1 + 2 / 3) / 2)
    line = sentence(typed(*command, "--strict", code=1)[1])
    assert "1 x unknown video, e.g. zz" in line
    assert "--strict" in line


def test_a_file_without_any_detection_scores_zero(typed: Typed, files: tuple[Path, Path]) -> None:
    files[0].write_text('{"results": {}}')
    told = json.loads(typed("evaluate", files[0], "--truth", files[1], "--resamples", 20, "--json")[0])
    assert told["metrics"][0]["value"] == 0.0
    assert told["counts"]["videos without predictions"] == told["counts"]["videos"] == 2


def test_mistakes_are_one_sentence(typed: Typed, files: tuple[Path, Path]) -> None:
    found, truth = files
    assert "--dataset CARD or --truth FILE" in sentence(typed("evaluate", found, code=2)[1])
    assert "did you mean 'thumos-210'" in sentence(
        typed("evaluate", found, "--truth", truth, "--protocol", "thumos-210x", code=2)[1]
    )
    assert "only of Test, test, train" in sentence(
        typed("evaluate", found, "--truth", truth, "--subset", "testing", code=1)[1]
    )
    assert "there is no file" in sentence(typed("evaluate", "gone.json", "--truth", truth, code=1)[1])
    boxes = found.with_name("boxes.csv")
    boxes.write_text("v,902,0.1,0.1,0.2,0.2,1,0.5\n")
    assert "the file holds boxes" in sentence(typed("evaluate", boxes, "--truth", truth, code=2)[1])


def test_parquet_of_clip_scores(typed: Typed, toy: Toy, tmp_path: Path) -> None:
    """The true label sets as scores are perfect; noise is not; both come with intervals over units."""
    data = load("toy[size=40]", "recognition")
    truth = np.asarray(data.test.truth, dtype=np.float32)
    path, table = tmp_path / "scores.parquet", {"item": data.test.ids, "score": np.full(len(truth), 0.5)}
    command = ("evaluate", path, "--dataset", "toy[size=40]", "--resamples", 50)
    pq.write_table(pa.table({**table, "scores": list(10 * truth - 5)}), path)
    values = {row["metric"]: row for row in json.loads(typed(*command, "--json")[0])["metrics"]}
    assert values["top-set"]["value"] == values["mAP"]["value"] == values["IoU"]["value"] == 1.0
    assert values["top-set"]["low"] == 1.0
    noise = np.random.default_rng(0).normal(size=truth.shape).astype(np.float32)
    pq.write_table(pa.table({**table, "scores": list(noise)}), path)
    values = {row["metric"]: row for row in json.loads(typed(*command, "--json")[0])["metrics"]}
    assert values["top-set"]["low"] < values["top-set"]["value"] < values["top-set"]["high"] < 1.0
    assert values["IoU"]["threshold"] == 0.5
    pq.write_table(pa.table({**table, "scores": list(noise)}).slice(1), path)
    assert "lacks 1 of 40 items" in sentence(typed(*command, code=1)[1])


def test_parquet_of_segments_against_a_packed_dataset(typed: Typed, toy: Toy, tmp_path: Path) -> None:
    segments = load("toy", "weak-localization").test.segments
    columns = {"label": segments.label, "start": segments.start, "end": segments.end, "score": np.ones(len(segments))}
    items = [f"test-{video}" for video in segments.video]
    pq.write_table(pa.table({"item": items, **columns}), tmp_path / "found.parquet")
    command = ("evaluate", tmp_path / "found.parquet", "--dataset", "toy", "--resamples", 0, "--json")
    assert scores(typed(*command)[0])[("mAP", 0.5)] == 1.0
    assert ("mAP", 0.1) in scores(typed(*command, "--protocol", "loose")[0])
    (tmp_path / "boxes.csv").write_text("v,902,0.1,0.1,0.2,0.2,1,0.5\n")
    line = sentence(typed("evaluate", tmp_path / "boxes.csv", "--dataset", "toy", code=2)[1])
    assert "toy serves recognition, weak-localization" in line


# The real annotations ----------------------------------------------------------------------------------------------


def real(name: str) -> Path:
    root = Path(os.environ.get("SUITE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
    if not (root / name).exists():
        pytest.skip(f"{root / name} is not here: set SUITE_DATA to the folder that holds it")
    return root


@pytest.fixture(scope="module")
def thumos() -> dict[str, np.ndarray]:
    """The golden detections, where their ground truth is that of the annotation file."""
    data = golden("temporal_map_thumos.npz")
    truth = truth_from_file(real("thumos14/gt_410.json") / "thumos14" / "gt_410.json", Choice())
    if not np.array_equal(np.sort(truth.segments.start), np.sort(data["gt_start"])):
        pytest.skip("the golden ground truth is not that of gt_410.json")
    assert truth.classes == tuple(data["class_names"].tolist())
    return data


def thumos_rows(data: dict[str, np.ndarray]) -> list[tuple[str, str, float, float, float]]:
    names, classes = data["video_names"].tolist(), data["class_names"].tolist()
    columns = (data[f"pred_{key}"].tolist() for key in ("video_index", "label", "start", "end", "score"))
    return [(names[v], classes[c], s, e, p) for v, c, s, e, p in zip(*columns)]


def write_form(data: dict[str, np.ndarray], form: str, folder: Path) -> Path:
    """The golden detections as each tool writes them."""
    rows, classes = thumos_rows(data), data["class_names"].tolist()
    path = folder / f"found.{'txt' if form == 'thumos' else 'parquet' if form == 'parquet' else 'json'}"
    if form == "thumos":
        number = {name: key for key, name in THUMOS_CLASSES.items()}
        path.write_text("".join(f"{v} {s!r} {e!r} {number[c]} {p!r}\n" for v, c, s, e, p in rows))
    elif form == "parquet":
        video, label, start, end, score = zip(*rows)
        numbers = [classes.index(name) for name in label]
        pq.write_table(pa.table({"item": video, "label": numbers, "start": start, "end": end, "score": score}), path)
    else:
        content: dict[str, list] = {}
        for v, c, s, e, p in rows:
            named = {"label": c, "score": p} if form == "activitynet" else {"label_id": classes.index(c), "scores": p}
            content.setdefault(v, []).append({"segment": [s, e], **named})
        path.write_text(json.dumps({"results" if form == "activitynet" else "database": content}))
    return path


@pytest.mark.parametrize("form", ["activitynet", "actionformer", "thumos", "parquet"])
def test_every_form_over_the_real_thumos_annotations(
    typed: Typed, thumos: dict[str, np.ndarray], form: str, tmp_path: Path
) -> None:
    root = real("thumos14/gt_410.json")
    path = write_form(thumos, form, tmp_path)
    out, _ = typed(
        "evaluate",
        path,
        "--truth",
        root / "thumos14/gt_410.json",
        "--protocol",
        "thumos-210",
        "--resamples",
        0,
        "--json",
    )
    found = scores(out)
    expected = dict(zip(np.round(thumos["tiou_thresholds"], 6).tolist(), thumos["map_per_tiou"].tolist()))
    for threshold in set(expected) & {level for _, level in found}:
        assert found[("mAP", threshold)] == pytest.approx(expected[threshold], abs=1e-12)
    if set(expected) == set(np.round(THUMOS_210.tiou, 6)):
        assert found[("mAP", None)] == pytest.approx(float(thumos["average_map"]), abs=1e-12)
    assert json.loads(out)["findings"] == []


def test_the_thumos_card_needs_no_features(typed: Typed, thumos: dict[str, np.ndarray], tmp_path: Path) -> None:
    root = real("thumos14/thumos14_412.json")
    cards = Path(__file__).parents[2] / "datasets"
    if not (cards / "thumos-14.toml").exists():
        pytest.skip("there is no card of THUMOS-14")
    path = write_form(thumos, "activitynet", tmp_path)
    out, _ = typed(
        "evaluate",
        path,
        "--dataset",
        "thumos-14",
        "--protocol",
        "thumos-210",
        "--data",
        root,
        "--resamples",
        0,
        "--json",
    )
    assert json.loads(out)["counts"]["videos"] == len(thumos["video_names"])
    assert json.loads(out)["counts"]["ground truths"] == len(thumos["gt_start"])
    expected = dict(zip(np.round(thumos["tiou_thresholds"], 6).tolist(), thumos["map_per_tiou"].tolist()))
    shared = set(expected) & {level for metric, level in scores(out) if metric == "mAP"}
    assert shared
    assert all(scores(out)[("mAP", level)] == pytest.approx(expected[level], abs=1e-12) for level in shared)


def test_ava_csv_over_the_real_annotations(typed: Typed, tmp_path: Path) -> None:

    path = real("ava_v1/ava_test_v1.0.csv") / "ava_v1" / "ava_test_v1.0.csv"
    generator = np.random.default_rng(0)
    lines = []
    for line in path.read_text().splitlines()[::7]:
        video, second, *corners, action = line.split("\t")
        box = np.array(corners, dtype=float) + generator.normal(0, 0.02, 4)
        lines.append(",".join([video, second, *map(repr, box.tolist()), action, repr(generator.random())]))
    (tmp_path / "found.csv").write_text("\n".join([*lines, "nowhere,902,0.1,0.1,0.5,0.5,1,0.01"]))
    told = json.loads(typed("evaluate", tmp_path / "found.csv", "--truth", path, "--resamples", 20, "--json")[0])
    assert told["form"] == "AVA csv"
    assert told["counts"]["videos"] == 38
    assert told["counts"]["ground truths"] == 41425
    assert {row["problem"]: row["count"] for row in told["findings"]}["unknown video"] == 1
    rows, truth = read_boxes(open_contents(tmp_path / "found.csv")), boxes_from_file(path)
    assert rows is not None
    boxes, _, _ = join_boxes(rows, truth)
    assert told["metrics"][0]["value"] == pytest.approx(frame_map(truth.boxes, boxes, AVA).mean_ap)
    assert 0 < told["metrics"][0]["low"] < told["metrics"][0]["high"] < 1
    assert told["classes"][0].keys() == {"class", "ground truths", "predictions", "AP"}


def test_the_command_and_the_library_agree(typed: Typed, files: tuple[Path, Path]) -> None:

    truth = truth_from_file(files[1], Choice())
    rows = read_segments(open_contents(files[0]))
    assert rows is not None
    found, _ = join_segments(rows, truth)
    out, _ = typed("evaluate", files[0], "--truth", files[1], "--resamples", 0, "--json")
    assert scores(out)[("mAP", None)] == pytest.approx(temporal_map(truth.segments, found).average_map)


def test_the_activitynet_list_of_4728_videos(typed: Typed, tmp_path: Path) -> None:
    """Annotations without subsets, a csv that has them, and results whose names lack the ``v_``."""
    root = real("activitynet13/anet_anno_action.json") / "activitynet13"
    annotated = json.loads((root / "anet_anno_action.json").read_text())
    content: dict[str, list] = {}
    for name, entry in annotated.items():
        rows = [{"label": row["label"], "segment": row["segment"], "score": 1.0} for row in entry["annotations"]]
        content[name.removeprefix("v_")] = rows
    names = (root / "video_info_new.csv").read_text().splitlines()
    wanted = {line.split(",")[0].removeprefix("v_") for line in names if ",validation," in line}
    path = tmp_path / "found.json"
    path.write_text(json.dumps({"results": {name: rows for name, rows in content.items() if name in wanted}}))
    command = ("evaluate", path, "--truth", root / "anet_anno_action.json", "--videos", root / "video_info_new.csv")
    told = json.loads(typed(*command, "--subset", "validation", "--resamples", 0, "--json")[0])
    assert told["counts"]["videos"] == 4728
    assert told["counts"]["videos without predictions"] == 0
    assert {finding["problem"] for finding in told["findings"]} <= {"duplicate row", "segment without length"}
    assert len(told["classes"]) == 200
    recall = [row["value"] for row in told["metrics"] if row["metric"] == "recall"]
    assert min(recall) > 0.999
    line = sentence(typed(*command, "--subset", "nothing", code=1)[1])
    assert "no videos of the subset 'nothing', only of testing, training, validation" in line


def test_a_list_of_videos(typed: Typed, files: tuple[Path, Path]) -> None:
    chosen = files[0].with_name("videos.txt")
    chosen.write_text("b\n")
    out, _ = typed("evaluate", files[0], "--truth", files[1], "--videos", chosen, "--resamples", 0, "--json")
    told = json.loads(out)
    assert told["counts"]["ground truths"] == 1
    assert told["counts"]["counted"] == 1
    assert told["findings"] == []
