"""Background modelling's terms and DGAM's inference against DGAM's released code."""

from __future__ import annotations

import re

import pytest

from methods.weak_localization.background_modelling import BackgroundModelling, attended, background_losses, smoothed
from methods.weak_localization.parts.two_stream import AttentionScores, bias_of
from suite.train.optimizers import make_optimizer
from tests.golden import close, golden
from tests.golden.two_streams import build, case_data, compare_video, our_state, tensors, twice

STEP = golden("background_modelling_step.npz")
DETECT = golden("background_modelling_inference.npz")
CASES = sorted({key.split("__")[0] for key in STEP})
VIDEOS = sorted({m[1] for key in DETECT if (m := re.fullmatch(r"(v\d+)__num_snippets", key))})
MODULES = {"att_head.fc1": "attention.{}.0", "att_head.fc2": "attention.{}.2", "clf_head.fc1": "classify.{}"}
FPS = 25.0
TOLERANCE = 1e-9


def network_of(data):
    parameters = tensors(data, "param__")
    return build([parameters] * 2, MODULES, len(parameters["clf_head.fc1.weight"]))


@pytest.mark.parametrize("case", CASES)
def test_pooled_features_and_the_guide(case):
    data, network = case_data(STEP, case), network_of(case_data(STEP, case))
    seen: AttentionScores = network(twice(data["features"]))
    close(seen.attention[..., 0].detach(), data["attention"], TOLERANCE)
    close(seen.activation[..., 0, :].detach(), data["snippet_activation_without_bias"], TOLERANCE)
    bias = bias_of(network)
    close((attended(seen, seen.attention, 1.0) + bias)[:, 0].detach(), data["foreground_logits"], TOLERANCE)
    close((attended(seen, 1 - seen.attention, 1e-6) + bias)[:, 0].detach(), data["background_logits"], TOLERANCE)
    probability = data["snippet_activation_without_bias"].softmax(dim=-1)
    close(smoothed(probability, 1.0), data["snippet_probability_smoothed"], TOLERANCE)


@pytest.mark.parametrize("term", ["foreground", "background", "guide"])
@pytest.mark.parametrize("case", CASES)
def test_losses_and_gradients(case, term):
    data, network = case_data(STEP, case), network_of(case_data(STEP, case))
    seen: AttentionScores = network(twice(data["features"]))
    seen.attention.retain_grad()
    labels = data["video_labels"][:, :-1]
    loss = background_losses(seen, bias_of(network), labels, 1.0)[term]
    close(loss.item() / 2, data[f"loss_{term}"], TOLERANCE)
    loss.backward()
    close(seen.attention.grad[..., 0], data[f"grad_{term}_attention"], 1e-8)
    gradient = network.classify[0].weight.grad
    expected = data[f"grad_{term}_classifier_weight"]
    close(expected * 0 if gradient is None else gradient, expected, 1e-8)


@pytest.mark.parametrize("case", CASES)
def test_two_steps_of_the_trainer(case):
    """At epoch 0 the weight of DGAM's generative term is 0: what is left is background modelling."""
    data, method = case_data(STEP, case), BackgroundModelling(preset="published")
    network = network_of(data)
    (phase,) = method.phases(None)
    optimizer = make_optimizer(method, network, phase.optimizer)
    weights = {"foreground": 1.0, "background": method.background_weight, "guide": method.guide_weight}
    for _ in range(2):
        seen = network(twice(data["features"]))
        parts = background_losses(seen, bias_of(network), data["video_labels"][:, :-1], method.sigma)
        optimizer.zero_grad()
        sum(weights[name] * part for name, part in parts.items()).backward()
        optimizer.step()
    for name, value in our_state([tensors(data, "after_2_steps__")] * 2, MODULES).items():
        close(network.state_dict()[name], value, TOLERANCE)


@pytest.mark.parametrize("video", VIDEOS)
def test_detections(video):
    streams = [tensors(DETECT, f"param_{stream}__") for stream in ("rgb", "flow")]
    network = build(streams, MODULES, len(streams[0]["clf_head.fc1.weight"]))
    method = BackgroundModelling(preset="published")
    assert len(method.places(int(DETECT[f"{video}__num_snippets"]))) == int(DETECT[f"{video}__num_positions"])
    compare_video(method, network, DETECT, video, FPS, TOLERANCE)
    assert bool(DETECT[f"{video}__is_in_result"]) == bool(len(DETECT[f"{video}__proposals_after_fusion"]))
