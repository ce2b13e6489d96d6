"""Temporal mAP against the evaluators of ActionFormer, BaSNet and ASL, edge cases included."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from suite.errors import UsageError
from suite.evaluate.proposals import recall_at_multiples
from suite.evaluate.protocols import ACTIONFORMER, BASNET, TemporalProtocol, linspaced
from suite.evaluate.segments import Segments, index_names
from suite.evaluate.temporal import temporal_map
from tests.golden import close, golden

TOLERANCE = 1e-12


@pytest.fixture(scope="module")
def thumos():
    return golden("temporal_map_thumos.npz")


def columns(data) -> tuple[Segments, Segments]:
    truth = Segments(data["gt_video_index"], data["gt_label"], data["gt_start"], data["gt_end"])
    found = [data[f"pred_{name}"] for name in ("video_index", "label", "start", "end", "score")]
    return truth, Segments(*found)


def test_thumos_agrees_with_actionformer_basnet_and_asl(thumos):
    truth, found = columns(thumos)
    tiou = thumos["tiou_thresholds"]
    for protocol, prefix in ((ACTIONFORMER, ""), (BASNET, "basnet_")):
        result = temporal_map(truth, found, protocol.at(*tiou))
        close(result.ap, thumos[f"{prefix}ap_per_tiou_and_class"], TOLERANCE)
        close(result.map_per_tiou, thumos[f"{prefix}map_per_tiou"], TOLERANCE)
        close(result.average_map, thumos[f"{prefix}average_map"], TOLERANCE)
    close(result.map_per_tiou, thumos["asl_map_per_tiou"], TOLERANCE)
    close(result.average_map, thumos["asl_average_map"], TOLERANCE)
    assert result.num_truth == int(np.sum(thumos["basnet_num_gt"]))
    np.testing.assert_array_equal(result.matches.positives, thumos["num_gt_used_per_class"])


def test_thumos_at_activitynet_thresholds(thumos):
    result = temporal_map(*columns(thumos), ACTIONFORMER.at(*thumos["anet_tiou_thresholds"]))
    close(result.map_per_tiou, thumos["anet_map_per_tiou"], TOLERANCE)
    close(result.average_map, thumos["anet_average_map"], TOLERANCE)


def test_thumos_recall_at_multiples(thumos):
    truth, found = columns(thumos)
    recall = recall_at_multiples(truth, found, (1, 5), ACTIONFORMER.at(*thumos["tiou_thresholds"]))
    close(recall, thumos["recall_at_1x_5x_per_tiou_and_class"], TOLERANCE)
    close(recall.mean(axis=1), thumos["mean_recall_at_1x_5x_per_tiou"], TOLERANCE)


def test_thresholds_are_linspace(thumos):
    tiou = thumos["tiou_thresholds"]
    np.testing.assert_array_equal(linspaced(tiou[0], tiou[-1], len(tiou)), tiou)


def named_columns(truth: dict, detections: dict) -> tuple[Segments, Segments]:
    """ActivityNet's dictionaries as columns."""
    database = truth["database"]
    videos = sorted(database)
    labels = sorted({row["label"] for entry in database.values() for row in entry["annotations"]})
    rows = [
        (videos.index(v), labels.index(r["label"]), *r["segment"]) for v in videos for r in database[v]["annotations"]
    ]
    found = [
        (videos.index(v), labels.index(r["label"]), *r["segment"], r["score"])
        for v in detections
        for r in detections[v]
    ]
    return Segments(*np.array(rows).T), Segments(*np.array(found).T)


def inference_cases() -> list[tuple[str, str, str, str]]:
    """(file, prefix, name of the detections, suffix of the expected arrays)."""
    try:
        content = golden("asl_inference.json")
        golden("basnet_inference.json")
    except pytest.skip.Exception:
        return []
    names = [name for name in content if "detections_" in name]
    asl = [("asl", name.split("detections_")[0], name, f"_{name.split('detections_')[1]}") for name in names]
    return [*asl, ("basnet", "", "detections", "")]


@pytest.mark.parametrize(("file", "prefix", "name", "suffix"), inference_cases())
def test_detections_of_the_official_scripts(file, prefix, name, suffix):
    content, arrays = golden(f"{file}_inference.json"), golden(f"{file}_inference.npz")
    truth, found = named_columns(content[f"{prefix}ground_truth"], content[name])
    mean, per_level = ("mean_ap", "map_per_tiou") if file == "asl" else ("average_mAP", "mAP_per_tiou")
    levels = arrays[f"{prefix}{per_level}{suffix}"]
    result = temporal_map(truth, found, BASNET.at(*linspaced(0.1, 0.9, len(levels))))
    close(result.map_per_tiou, levels, 1e-9)
    close(result.average_map, arrays[f"{prefix}{mean}{suffix}"], 1e-9)


def edge_cases() -> list[dict]:
    try:
        return golden("temporal_map_edge_cases.json")["cases"]
    except pytest.skip.Exception:
        return []


def case_columns(case: dict, protocol: TemporalProtocol) -> tuple[Segments, Segments]:
    """Ground truth of the test subset, and every prediction, its videos known or not."""
    names = protocol.videos(case["subsets"], "test")
    annotations = [(names.index(video), *row) for video in names for row in case["ground_truth"][video]]
    video, start, end, label = (np.array([row[k] for row in annotations]) for k in range(4))
    truth = Segments(video, label, start, end)
    rows = case["predictions"]
    index, _ = index_names((row["video"] for row in rows), names, grow=True)
    return truth, Segments(index, *([row[key] for row in rows] for key in ("label", "start", "end", "score")))


@pytest.mark.parametrize("case", edge_cases(), ids=lambda case: case["name"])
@pytest.mark.parametrize("evaluator", ["actionformer", "basnet"])
def test_edge_case(case, evaluator):
    expected = case[evaluator]
    protocol = {"actionformer": ACTIONFORMER, "basnet": BASNET}[evaluator].at(*case["tiou_thresholds"])
    if "ties" in case["name"]:
        protocol = replace(protocol, ties="reversed")
    truth, found = case_columns(case, protocol)
    if "error" in expected:
        with pytest.raises(UsageError, match="labels without ground truth"):
            temporal_map(truth, found, protocol)
        return
    result = temporal_map(truth, found, protocol)
    if f"expected_clean_{'map_per_tiou'}" in case:
        close(result.map_per_tiou, case["expected_clean_map_per_tiou"], TOLERANCE)
        close(result.average_map, case["expected_clean_average_map"], TOLERANCE)
        return
    assert result.classes.tolist() == expected["labels"]
    assert result.num_truth == expected["num_gt_used"]
    close(result.ap, expected["ap_per_tiou_and_class"], TOLERANCE)
    close(result.map_per_tiou, expected["map_per_tiou"], TOLERANCE)
    close(result.average_map, expected["average_map"], TOLERANCE)
    if "recall_1x_5x_per_tiou_and_class" in expected:
        recall = recall_at_multiples(truth, found, (1, 5), protocol)
        close(recall, expected["recall_1x_5x_per_tiou_and_class"], TOLERANCE)
