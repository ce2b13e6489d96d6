"""Action Selection Learning's inference against the reference, up to the final detections and their mAP."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from methods.weak_localization.proposals import (
    ProposalRule,
    Runs,
    chosen_classes,
    outer_inner_contrast,
    propose,
    runs_above,
    upsample,
)
from methods.weak_localization.selection import pool, select, top_k
from tests.golden import close, golden

GOLD = golden("asl_inference.npz")
FPS, FRAMES = 25, 16
PREFIXES = sorted(m[1] for key in GOLD if (m := re.fullmatch(r"((?:mini__)?v\d+__)cas_logits", key)))


def world(prefix: str) -> str:
    return "mini__" if prefix.startswith("mini__") else ""


def infer(prefix: str) -> dict[str, np.ndarray]:
    """Selection, pooled logits, probabilities and classes of a video, from its stored network outputs."""
    logits = torch.from_numpy(GOLD[f"{prefix}cas_logits"])[None]
    actionness = np.stack([GOLD[f"{prefix}actionness_{stream}"] for stream in ("rgb", "flow")], axis=-1)
    selection = select(logits.softmax(-1), torch.from_numpy(actionness)[None], 2 / 3)
    video = pool(logits, top_k(selection, 8))
    probability = video.softmax(1)[0].numpy()
    return {
        "selection": selection[0].numpy(),
        "video": video[0].numpy(),
        "probability": probability,
        "classes": chosen_classes(probability, 0.25),
    }


def sorted_rows(rows: np.ndarray) -> np.ndarray:
    rows = np.asarray(rows, dtype=np.float64).reshape(-1, 4)
    return rows[np.lexsort((np.round(rows[:, 1], 4), rows[:, 3], rows[:, 2], rows[:, 0]))]


def proposals(prefix: str, seen: dict[str, np.ndarray], outer: float) -> np.ndarray:
    """Rows [class, score, start, end] before suppression."""
    scale = int(GOLD[f"{world(prefix)}scale"])
    snippets, positions = int(GOLD[f"{prefix}num_snippets"]), len(seen["selection"])
    rule = ProposalRule(tuple(GOLD[f"{world(prefix)}activation_thresholds"]), scale, outer, 0.2)
    rows = [np.zeros((0, 4))]
    for which in seen["classes"]:
        runs = propose(upsample(seen["selection"][:, which], scale), float(seen["probability"][which]), rule)
        start, end = runs.seconds(scale * positions, snippets * FRAMES / FPS)
        rows.append(np.stack([np.full(len(start), which), runs.score, start, end], axis=1))
    return np.concatenate(rows)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_selection_classes_and_probabilities(prefix):
    seen = infer(prefix)
    close(seen["selection"], GOLD[f"{prefix}selection_h"], 1e-5)
    close(seen["video"], GOLD[f"{prefix}video_logits"], 1e-5)
    close(seen["probability"], GOLD[f"{prefix}video_class_probability"], 1e-5)
    assert np.array_equal(seen["classes"], GOLD[f"{prefix}predicted_classes"])


@pytest.mark.parametrize("prefix", PREFIXES)
def test_upsampled_selection(prefix):
    if f"{prefix}upsampled_h_of_predicted_classes" not in GOLD:
        pytest.skip("the reference stores this for some videos only")
    seen = infer(prefix)
    upsampled = upsample(seen["selection"][:, seen["classes"]], int(GOLD[f"{world(prefix)}scale"]))
    close(upsampled, GOLD[f"{prefix}upsampled_h_of_predicted_classes"], 1e-5)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("declared", [False, True], ids=["released", "declared-ratio"])
def test_proposals_before_suppression(prefix, declared):
    outer = 0.25 if declared else float(GOLD["effective_oic_lambda"])
    expected = GOLD[f"{prefix}{'lambda0.25_' if declared else ''}proposals_before_nms"]
    rows = proposals(prefix, infer(prefix), outer)
    assert len(rows) == len(expected)
    close(sorted_rows(rows), sorted_rows(expected), 1e-5)


@pytest.mark.parametrize("key", [key for key in GOLD if key.startswith("upsample_only__scale")])
def test_upsampling_alone(key):
    scale = int(key.removeprefix("upsample_only__scale"))
    close(upsample(GOLD["upsample_only__input"], scale), GOLD[key], 1e-9)


def test_outer_inner_contrast_alone():
    signal, positions = GOLD["oic_only__signal"], GOLD["oic_only__positions"]
    first, last = runs_above(np.isin(np.arange(len(signal)), positions))
    key = next(key for key in GOLD if key.startswith("oic_only__proposals_"))
    scale, length, fps = map(int, re.search(r"scale(\d+)_len(\d+)_fps(\d+)", key).groups())
    score = outer_inner_contrast(signal, first, last, 0.25) + 0.2 * float(GOLD["oic_only__probability"])
    start, end = Runs(first, last, score).seconds(len(signal) * scale, length * FRAMES / fps)
    close(np.stack([score, start, end], axis=1), GOLD[key][:, 1:], 1e-9)


def test_a_run_of_the_first_point_alone_is_dropped():
    alone, two = np.zeros(9, bool), np.zeros(9, bool)
    alone[:1], two[:2] = True, True
    assert len(runs_above(alone)[0]) == int(GOLD["oic_only__position_zero_only_gives"])
    assert len(runs_above(two)[0]) == int(GOLD["oic_only__positions_0_and_1_gives"])
