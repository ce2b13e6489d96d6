"""Frame mAP against the evaluators of SlowFast, ACAR and ActivityNet (AVA) and YOWO (UCF101-24)."""

from __future__ import annotations

import numpy as np
import pytest

from suite.evaluate.boxes import Boxes
from suite.evaluate.protocols import (
    AVA,
    AVA_LISTED_FRAMES,
    AVA_LISTING,
    AVA_TOP50,
    UCF_ALL_FRAMES,
    UCF_ANNOTATED,
    SpatialProtocol,
)
from suite.evaluate.spatial import frame_map
from tests.golden import close, golden

TOLERANCE = 1e-9


@pytest.fixture(scope="module")
def ava():
    return golden("ava_frame_map.npz")


def ava_columns(data, case: str) -> tuple[Boxes, Boxes]:
    truth = Boxes(*(data[f"{case}/gt_{part}"] for part in ("frame", "class_id", "box_x1y1x2y2")))
    return truth, Boxes(*(data[f"{case}/det_{part}"] for part in ("frame", "class_id", "box_x1y1x2y2", "score")))


AVA_RUNS = [
    ("main", AVA, True, "main/ap_per_class", "main/map"),
    ("main", AVA_LISTING, True, "main/ap_per_class", "main/map"),
    ("main", AVA, False, "noexcl/ap_per_class", "noexcl/map"),
    ("main", AVA_LISTED_FRAMES, True, "drop_frames_without_gt/ap_per_class", "drop_frames_without_gt/map"),
    ("unsorted", AVA_LISTING, True, "unsorted/ap_listing_order", "unsorted/map_listing_order"),
    ("unsorted", AVA, True, "unsorted/ap_sorted_first", "unsorted/map_sorted_first"),
    ("dense", AVA, True, "dense/ap_all", "dense/map_all"),
    ("dense", AVA_TOP50, True, "dense/ap_top50_per_frame", "dense/map_top50_per_frame"),
]


@pytest.mark.parametrize(("case", "protocol", "exclude", "ap_key", "map_key"), AVA_RUNS)
def test_ava(ava, case, protocol: SpatialProtocol, exclude, ap_key, map_key):
    excluded = np.flatnonzero(ava["frame_excluded"]) if exclude else None
    result = frame_map(*ava_columns(ava, case), protocol, ava["class_ids"], excluded)
    np.testing.assert_array_equal(result.classes, ava["class_ids"])
    close(result.ap, ava[ap_key], TOLERANCE)
    close(result.mean_ap, ava[map_key], TOLERANCE)


def test_ava_units_are_videos(ava):
    truth, found = ava_columns(ava, "main")
    result = frame_map(truth, found, AVA, ava["class_ids"], unit_of_frame=ava["frame_video"])
    assert set(result.matches.units) <= set(ava["frame_video"])
    close(result.matches.average_map(np.full((1, len(result.matches.units)), 1.0))[0], result.mean_ap, TOLERANCE)


def test_ucf():
    data = golden("ucf_frame_map.npz")
    truth = Boxes(data["gt_frame"], data["gt_class"], data["gt_box_x1y1x2y2"])
    found = Boxes(data["det_frame"], data["det_class"], data["det_box_x1y1x2y2"], data["det_score"])
    key = next(key for key in data if key.startswith("ap_per_class_"))
    first, last = (int(number) for number in key.removeprefix("ap_per_class_").split("to"))
    result = frame_map(truth, found, UCF_ANNOTATED, np.arange(first, last + 1))
    close(result.ap, data[key], TOLERANCE)
    close(result.mean_ap, data["map"], TOLERANCE)
    np.testing.assert_array_equal(result.true_positives, data["tp_per_class"])
    np.testing.assert_array_equal(result.false_positives, data["fp_per_class"])
    everywhere = frame_map(truth, found, UCF_ALL_FRAMES, np.arange(first, last + 1))
    assert (everywhere.false_positives >= result.false_positives).all()
