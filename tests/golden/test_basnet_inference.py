"""BaSNet's inference against the reference: normalized activations, classes and proposals."""

from __future__ import annotations

import re

import numpy as np
import pytest

from methods.weak_localization.basnet import BaSNet
from methods.weak_localization.parts.proposals import ProposalRule, chosen_classes, min_max, propose, upsample
from suite.evaluate.protocols import ACTIVITYNET
from suite.evaluate.temporal import temporal_map
from tests.golden import close, golden
from tests.golden.test_asl_inference import (
    FPS,
    FRAMES,
    bare_videos,
    detections_of,
    relabelled,
    sorted_rows,
    truth_of,
)

GOLD = golden("basnet_inference.npz")
TEXT = golden("basnet_inference.json")
BASNET_AT = ACTIVITYNET.at(*np.linspace(0.1, 0.9, 9))
VIDEOS = sorted(m[1] for key in GOLD if (m := re.fullmatch(r"(v\d+__)cas_supp", key)))
SCALE = 24


def proposals(video: str) -> np.ndarray:
    """Rows [class, score, start, end] before suppression."""
    activation = min_max(GOLD[f"{video}cas_supp"].astype(np.float64))
    rule = ProposalRule(tuple(GOLD["activation_thresholds"]), 0.25, float(GOLD["gamma"]), zeroed=True)
    duration = float(GOLD[f"{video}num_snippets"]) * FRAMES / FPS
    rows = [np.zeros((0, 4))]
    for which in chosen_classes(GOLD[f"{video}score_supp"][:-1], 0.25, False, skip_first=True):
        runs = propose(upsample(activation[:, which], SCALE), 1.0, rule)
        start, end = runs.seconds(SCALE * len(activation), duration)
        rows.append(np.stack([np.full(len(start), which), runs.score, start, end], axis=1))
    return np.concatenate(rows)


@pytest.mark.parametrize("video", VIDEOS)
def test_normalized_activation(video):
    close(min_max(GOLD[f"{video}cas_supp"]), GOLD[f"{video}cas_supp_minmax_normalised"], 1e-5)


@pytest.mark.parametrize("video", VIDEOS)
def test_predicted_classes(video):
    found = chosen_classes(GOLD[f"{video}score_supp"][:-1], 0.25, False)
    assert np.array_equal(found, GOLD[f"{video}predicted_classes"])


@pytest.mark.parametrize("video", VIDEOS)
def test_proposals_before_suppression(video):
    rows, expected = proposals(video), GOLD[f"{video}proposals_before_nms"]
    assert len(rows) == len(expected)
    close(sorted_rows(rows), sorted_rows(expected), 1e-5)


def test_min_max_alone():
    for row, expected in zip(GOLD["minmax_only__input"], GOLD["minmax_only__output"]):
        close(min_max(row), expected, 1e-9)


def test_final_detections_and_their_mean_average_precision():
    positions, classes = GOLD[f"{VIDEOS[0]}cas_supp"].shape
    names = sorted(VIDEOS, key=lambda video: int(video[1:-2]))
    samples = bare_videos(np.array([int(GOLD[f"{v}num_snippets"]) for v in names]), classes - 1)
    scores = {
        "signal": np.array([GOLD[f"{v}cas_supp"][:, :-1] for v in names]),
        "probability": np.array([GOLD[f"{v}score_supp"][:-1] for v in names]),
    }
    method = BaSNet(preset="published", positions=positions, nms_threshold=float(GOLD["nms_threshold"]))
    found = method.decode(scores, samples)
    for video, name in enumerate(names):
        rows = found.take(found.video == video)
        actual = np.stack([rows.label, rows.score, rows.start, rows.end], axis=1)
        assert len(actual) == len(GOLD[f"{name}proposals_after_nms"])
        close(sorted_rows(actual), sorted_rows(GOLD[f"{name}proposals_after_nms"]), 1e-5)
    videos = [f"video_test_{name[1:-2]:0>7}" for name in names]
    truth, vocabulary = truth_of(TEXT["ground_truth"]["database"], videos)
    predictions = detections_of(TEXT["detections"], videos, vocabulary)
    result = temporal_map(truth, relabelled(found, predictions), BASNET_AT)
    close(result.average_map, GOLD["average_mAP"], 1e-5)
    close(result.map_per_tiou, GOLD["mAP_per_tiou"], 1e-5)


def test_recommended_keeps_videos_of_the_first_class():
    alone = np.array([0.9, 0.05])
    assert len(chosen_classes(alone, 0.25, False, skip_first=True)) == 0
    assert chosen_classes(alone, 0.25, False).tolist() == [0]
    assert not BaSNet().skip_first
