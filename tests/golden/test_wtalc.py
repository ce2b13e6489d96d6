"""W-TALC against its released code: embedding, both losses, three steps, detections."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from methods.weak_localization.parts.peak_localizer import multiple_instance_loss
from methods.weak_localization.wtalc import WTALC, WTALCNet, co_activity_loss
from suite.train.optimizers import make_optimizer
from tests.golden import close, golden
from tests.golden.test_asl_inference import bare_videos, sorted_rows

STEP = golden("wtalc_step.npz")
DETECT = golden("wtalc_inference.npz")
CASES = sorted({key.split("__")[0] for key in STEP if "__loss_multiple_instance" in key})
BUILT = sorted({key.split("__")[0] for key in STEP if "__param__" in key})
STEPPED = sorted({key.split("__")[0] for key in STEP if "__after_step" in key})
VIDEOS = sorted({m[1] for key in DETECT if (m := re.fullmatch(r"(v\d+)__\w+", key))})
MODULES = {"fc": "embed.0", "classifier": "classify"}
DIVISOR, MARGIN, PAIRS = 8, 0.5, 3
TOLERANCE = 1e-9


def case_data(case: str) -> dict[str, torch.Tensor]:
    found = {key.split("__", 1)[1]: value for key, value in STEP.items() if key.startswith(f"{case}__")}
    return {key: torch.from_numpy(np.asarray(value)) for key, value in found.items()}


def our_state(data: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Released names to ours; their second hidden layer is not used."""
    state = {}
    for key, value in data.items():
        module, _, kind = key.removeprefix(prefix).partition(".")
        if key.startswith(prefix) and module in MODULES:
            state[f"{MODULES[module]}.{kind}"] = value
    return state


def build(data: dict[str, torch.Tensor]) -> WTALCNet:
    hidden, width = data["param__fc.weight"].shape
    network = WTALCNet(width, hidden, len(data["param__classifier.weight"]), 0.0).double()
    network.load_state_dict(our_state(data, "param__"))
    return network


def features_of(data: dict[str, torch.Tensor]) -> torch.Tensor:
    return data["features"][:, : int(data["lengths"].max())]


def pairs_of(data: dict[str, torch.Tensor]) -> int:
    return min(PAIRS, len(data["lengths"]) // 2)


@pytest.mark.parametrize("case", BUILT)
def test_forward(case):
    data = case_data(case)
    scores = build(data)(features_of(data))
    close(scores.embedding.detach(), data["embedding"], TOLERANCE)
    close(scores.activation.detach(), data["logits"], TOLERANCE)


@pytest.mark.parametrize("case", CASES)
def test_multiple_instance_loss(case):
    data = case_data(case)
    logits = data["logits"].clone().requires_grad_()
    loss = multiple_instance_loss(logits, data["lengths"], data["video_labels"], DIVISOR)
    loss.backward()
    close(loss.item(), data["loss_multiple_instance"], TOLERANCE)
    (key,) = [k for k in data if k.startswith("grad_multiple_instance") and k.endswith("logits")]
    close(logits.grad, data[key], 1e-8)


@pytest.mark.parametrize("case", [case for case in CASES if f"{case}__loss_co_activity" in STEP])
def test_co_activity_loss(case):
    """Where the released loss is NaN (no shared class, a video of one snippet), ours is finite."""
    data = case_data(case)
    logits, embedding = (data[name].clone().requires_grad_() for name in ("logits", "embedding"))
    loss = co_activity_loss(logits, embedding, data["lengths"], data["video_labels"], pairs_of(data), MARGIN)
    assert torch.isfinite(loss)
    if torch.isnan(data["loss_co_activity"]):
        return
    loss.backward()
    close(loss.item(), data["loss_co_activity"], TOLERANCE)
    for name, ours in (("logits", logits), ("embedding", embedding)):
        (key,) = [k for k in data if k.startswith("grad_co_activity") and k.endswith(name)]
        close(ours.grad, data[key], 1e-8)


@pytest.mark.parametrize("case", STEPPED)
def test_three_steps(case):
    data, method = case_data(case), WTALC(preset="published")
    network = build(data)
    (phase,) = method.phases(None)
    optimizer = make_optimizer(method, network, phase.optimizer)
    for step in range(3):
        scores = network(features_of(data))
        lengths, labels = data["lengths"], data["video_labels"]
        first = multiple_instance_loss(scores.activation, lengths, labels, DIVISOR)
        second = co_activity_loss(scores.activation, scores.embedding, lengths, labels, pairs_of(data), MARGIN)
        total = method.share * first + (1 - method.share) * second
        for name, part in (("milloss", first), ("casloss", second), ("total_loss", total)):
            close(part.item(), data[f"steps_{name}"][step], TOLERANCE)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        for name, value in our_state(data, f"after_step{step + 1}__").items():
            close(network.state_dict()[name], value, TOLERANCE)


@pytest.mark.parametrize("name", VIDEOS)
def test_detections(name):
    method = WTALC(preset="published")
    tcam = DETECT[f"{name}__{'tcam' if f'{name}__tcam' in DETECT else 'logits'}"]
    samples = bare_videos(np.array([len(tcam)]), tcam.shape[1])
    video = method.video_scores(tcam)
    found = method.decode({"activation": tcam, "video": video[None]}, samples)
    seconds = float(samples.snippet_seconds[0])
    rows = np.stack([found.label, found.start / seconds, found.end / seconds, found.score], axis=1)
    if not DETECT.get(f"{name}__video_score_is_nan", np.array(False)).any():
        close(video, DETECT[f"{name}__video_score"], TOLERANCE)
    assert np.array_equal(method.kept(video, len(tcam)), DETECT[f"{name}__kept_classes"])
    expected = DETECT[f"{name}__proposals"].reshape(-1, 4)
    assert len(rows) == len(expected)
    close(sorted_rows(rows), sorted_rows(expected), TOLERANCE)
    assert len(WTALC().kept(np.ones(3), 4)) == 3, "recommended localizes short videos, too"
