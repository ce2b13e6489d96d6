"""STPN against its reproduced code: losses, three steps of TensorFlow's Adam, detections."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from methods.weak_localization.parts.two_stream import AttentionScores, bias_of
from methods.weak_localization.stpn import STPN, attended_mean, stpn_losses
from suite.method import Phase
from suite.train.optimizers import make_optimizer, set_rate
from tests.golden import close, golden
from tests.golden.two_streams import build, case_data, compare_video, our_state, tensors, twice

STEP = golden("stpn_step.npz")
DETECT = golden("stpn_inference.npz")
CASES = sorted({key.split("__")[0] for key in STEP})
VIDEOS = sorted({m[1] for key in DETECT if (m := re.fullmatch(r"(v\d+)__num_snippets", key))})
MODULES = {"attention.0": "attention.{}.0", "attention.2": "attention.{}.2", "classifier": "classify.{}"}
FPS = 10.0
TOLERANCE = 1e-9


@pytest.mark.parametrize("case", CASES)
def test_losses_and_gradients(case):
    data = case_data(STEP, case)
    parameters = tensors(data, "param__")
    network = build([parameters] * 2, MODULES, len(parameters["classifier.weight"]))
    seen: AttentionScores = network(twice(data["features"]))
    seen.attention.retain_grad()
    close(seen.attention[..., 0].detach(), data["attention"], TOLERANCE)
    logits = attended_mean(seen) + bias_of(network)
    close(logits[:, 0].detach(), data["video_logits"], TOLERANCE)
    close(logits[:, 0].sigmoid().detach(), data["video_probability"], TOLERANCE)
    parts = stpn_losses(seen, bias_of(network), data["video_labels"], 1e-4)
    close(parts["classification"].item() / 2, data["loss_classification"], TOLERANCE)
    close(parts["sparsity"].item() / 2, data["loss_sparsity_times_beta"], TOLERANCE)
    sum(parts.values()).backward()
    close(seen.attention.grad[..., 0], data["grad_attention"], 1e-8)
    ours = dict(network.named_parameters())
    for name, value in our_state([tensors(data, "grad__")] * 2, MODULES).items():
        close(ours[name].grad, value, 1e-8)


@pytest.mark.parametrize("case", CASES)
def test_three_steps(case):
    data, method = case_data(STEP, case), STPN(preset="published")
    parameters = tensors(data, "param__")
    network = build([parameters] * 2, MODULES, len(parameters["classifier.weight"]))
    phase = Phase(steps=3, optimizer=method.optimizer())
    optimizer = make_optimizer(method, network, phase.optimizer)
    for step in range(3):
        set_rate(optimizer, phase, step, 1)
        parts = stpn_losses(network(twice(data["features"])), bias_of(network), data["video_labels"], method.sparsity)
        optimizer.zero_grad()
        sum(parts.values()).backward()
        optimizer.step()
        for name, value in our_state([tensors(data, f"after_step{step + 1}__")] * 2, MODULES).items():
            close(network.state_dict()[name], value, 1e-8)


@pytest.mark.parametrize("video", VIDEOS)
def test_detections(video):
    streams = [tensors(DETECT, f"param_{stream}__") for stream in ("rgb", "flow")]
    network = build(streams, MODULES, len(streams[0]["classifier.weight"]))
    method = STPN(preset="published", positions=len(DETECT[f"{video}__attention_rgb"]))
    compare_video(method, network, DETECT, video, FPS, TOLERANCE)


def test_recommended_localizes_the_first_class_and_suppresses_all():
    assert not STPN().skip_first
    assert STPN().suppress == "all"
    only_first = np.array([[0.9, 0.01], [0.9, 0.01]])
    assert [len(found) for found in STPN().classes_of(only_first)] == [1, 1]
    assert [len(found) for found in STPN(preset="published").classes_of(only_first)] == [0, 0]
    assert torch.equal(STPN().probability(torch.zeros(3)), torch.full((3,), 0.5))
