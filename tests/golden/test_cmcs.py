"""CMCS against its released code: network, losses and gradients, four summed steps, frame-wise proposals."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from methods.networks.convolutions import TimeConvolution
from methods.weak_localization.cmcs import CMCS, of_its_range, padded
from methods.weak_localization.parts.branch_network import (
    BranchNetwork,
    BranchScores,
    BranchShape,
    FusedBranches,
    diversity_loss,
    norm_loss,
)
from methods.weak_localization.parts.dilated_runs import context_contrast, dilated
from methods.weak_localization.parts.proposals import runs_above, upsample
from suite.method import Run
from suite.tasks.data import TaskData
from suite.train.optimizers import make_optimizer
from tests.golden import close, golden
from tests.golden.test_asl_inference import FPS, FRAMES, bare_videos, sorted_rows

STEP = golden("cmcs_step.npz")
DETECT = golden("cmcs_inference.npz")
DEFAULTS = golden("cmcs__defaults.json")["settings"]
CASES = sorted({key.split("__")[0] for key in STEP if key.endswith("__loss_total")})
KINDS = sorted({m[1] for key in STEP if (m := re.fullmatch(r"steps__(\w+)_loss_per_step_sum", key))})
VIDEOS = sorted({m[1] for key in DETECT if (m := re.fullmatch(r"(v\d+)__average_score", key))})
SETTINGS = {
    "thumos": {},
    "max_threshold": {"relative": False, "threshold": 0.4},
    "attention_times_score": {"metric": "attention"},
    "anet": {"threshold": 1e-7},
}
WEIGHT = 0.2  # of diversity and norm loss
TOLERANCE = 1e-9
Parameters = dict[str, torch.Tensor]


def case_data(case: str) -> dict[str, torch.Tensor]:
    found = {key.split("__", 1)[1]: value for key, value in STEP.items() if key.startswith(f"{case}__")}
    return {key: torch.from_numpy(np.asarray(value)) for key, value in found.items()}


def our_name(name: str) -> str | None:
    """``cls_bottoms.2.cls_b2_conv_0.weight`` is ``temporal.2.weight``; ours has no bias behind the attention."""
    for pattern, ours in (
        (r"base\.base_conv_0\.(\w+)", r"base.\1"),
        (r"cls_bottoms\.(\d+)\.\w+\.(\w+)", r"temporal.\1.\2"),
        (r"cls_heads\.(\d+)\.(\w+)", r"classify.\1.\2"),
        (r"att_bottom\.att_conv_0\.(\w+)", r"attend.0.\1"),
        (r"att_head\.weight", r"attend.2.weight"),
    ):
        if re.fullmatch(pattern, name):
            return re.sub(pattern, ours, name)
    assert name == "att_head.bias", name
    return None


def our_state(data: dict[str, torch.Tensor], prefix: str) -> Parameters:
    """Released names to ours; their linear attention is a convolution of kernel 1 here."""
    named = {our_name(key.removeprefix(prefix)): value for key, value in data.items() if key.startswith(prefix)}
    return {name: v[..., None] if name == "attend.2.weight" else v for name, v in named.items() if name}


def shape_of(state: Parameters) -> tuple[int, BranchShape]:
    hidden, width, _ = state["base.weight"].shape
    outputs, own = state["classify.0.weight"].shape
    branches = sum(name.startswith("classify") and name.endswith("weight") for name in state)
    return width, BranchShape(hidden, own, outputs - 1, branches, 0.0, "attend.2.weight" in state)


def build(state: Parameters) -> BranchNetwork:
    """The attention may be narrower than a branch in the files, so its layers are made anew where it is."""
    width, shape = shape_of(state)
    network = BranchNetwork(width, shape)
    if shape.attends:
        middle, _, kernel = state["attend.0.weight"].shape
        network.attend = torch.nn.Sequential(
            TimeConvolution(shape.hidden, middle, kernel),
            torch.nn.ReLU(),
            TimeConvolution(middle, 1, bias=False),
        )
    network.double().load_state_dict(state)
    return network


# Network and losses -------------------------------------------------------------------------------------------------


def with_longer(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The video (T, D) in a batch with a longer one, which must not be seen."""
    longer = torch.cat([features, features.flip(0), features])
    short = torch.nn.functional.pad(features, (0, 0, 0, 2 * len(features)))
    return torch.stack([short, longer]), torch.tensor([len(features), len(longer)])


@pytest.mark.parametrize("case", CASES)
def test_forward(case):
    data = case_data(case)
    network = build(our_state(data, "param__"))
    length = len(data["features"])
    with torch.no_grad():
        features, lengths = with_longer(data["features"])
        scores = network(features, lengths)
        pooled = network.pooled(scores, lengths)
    close(scores.branches[0, :, :length], data["branch_scores"], TOLERANCE)
    close(scores.average[0, :length], data["average_score"], TOLERANCE)
    close(pooled[0], data["global_score"], TOLERANCE)
    if "attention" in data:
        close(scores.attention[0, :length], data["attention"], TOLERANCE)
        assert not scores.attention[0, length:].any()


@pytest.mark.parametrize("case", CASES)
def test_losses_of_branches(case):
    data = case_data(case)
    for name, form in (("diversity", diversity_loss), ("norm", norm_loss)):
        branches = data["branch_scores"].clone().requires_grad_()
        count = branches.shape[1]
        beyond = torch.cat([branches, torch.full_like(branches, 7.0)], dim=1)  # a batch's padding counts in none
        loss = WEIGHT * data["weight"] * form(beyond[None], torch.tensor([count]))[0]
        loss.backward()
        close(loss.item(), data[f"loss_{name}"], TOLERANCE)
        close(branches.grad, data[f"grad_{name}_branch_scores"], 1e-8)


def run_of(videos: list[torch.Tensor], labels: np.ndarray, network: torch.nn.Module) -> Run:
    classes = labels.shape[1]
    samples = bare_videos(np.array([len(video) for video in videos]), classes)
    task = TaskData("golden", "weak-localization", ("",) * classes, *[samples] * 3)
    run = Run(task, network, 0, torch.device("cpu"), lambda *_: None, lambda _, make: make())
    run.residents["rows"] = torch.cat(videos)
    return run


def batch_of(lengths: list[int], which: list[int], labels: torch.Tensor, weights: torch.Tensor) -> dict:
    first = np.concatenate([[0], np.cumsum(lengths)])
    rows = [np.arange(first[v], first[v + 1]) for v in which]
    count = torch.full((len(which),), len(which))
    return {"label": labels[which], "weight": weights[which], "examples": count, **padded(rows)}


def fused(networks: list[BranchNetwork]) -> FusedBranches:
    """The released network as the method holds it."""
    holder = FusedBranches(networks[0].width, "early", BranchShape(1, 1, 1, 1, 0.0, True))
    holder.nets = torch.nn.ModuleList(networks)
    return holder


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradients_of_a_video(case):
    data = case_data(case)
    network = build(our_state(data, "param__"))
    run = run_of([data["features"]], np.zeros((1, data["global_score"].shape[0] - 1), bool), fused([network]))
    method = CMCS(preset="published", pooling="attention" if "attention" in data else "max", fusion="early")
    batch = batch_of([len(data["features"])], [0], data["label"].reshape(1), data["weight"].reshape(1))
    parts = method.loss(run.network, batch, run)
    for name in ("classification", "diversity", "norm"):
        close(parts[name].item(), data[f"loss_{name}"], TOLERANCE)
    total = sum(parts.values())
    close(total.item(), data["loss_total"], TOLERANCE)
    total.backward()
    gradients = {name: p.grad for name, p in network.named_parameters()}
    for name, value in our_state(data, "grad__").items():
        close(gradients[name], value, 1e-8)
    if "att_head.bias" in {key.removeprefix("param__") for key in data}:
        assert abs(float(data["grad__att_head.bias"])) < 1e-12  # which is why ours has none


@pytest.mark.parametrize("kind", KINDS)
def test_four_steps_of_summed_gradients(kind):
    data = case_data("steps")
    count, size = len(data["labels"]), int(data["batch_size"])
    views = [kind] if kind != "both" else ["rgb", "flow"]
    videos = [torch.cat([data[f"{view}_{v}"] for view in views], dim=1) for v in range(count)]
    network = build(our_state(data, f"{kind}_param__"))
    classes = network.classify[0].out_features - 1
    run = run_of(videos, np.zeros((count, classes), bool), fused([network]))
    method = CMCS(preset="published", fusion="early")
    optimizer = make_optimizer(method, run.network, method.phases(run.data)[0].optimizer)
    lengths = [len(video) for video in videos]
    steps = len(data[f"{kind}_loss_per_step_sum"])
    for step in range(steps):
        chosen = [example % count for example in range(step * size, (step + 1) * size)]
        optimizer.zero_grad()
        parts = method.loss(run.network, batch_of(lengths, chosen, data["labels"], data["weights"]), run)
        total = sum(parts.values())
        for name, theirs in (("classification", "cls"), ("diversity", "div"), ("norm", "norm")):
            close(parts[name].item() / size, data[f"{kind}_loss_per_step_{theirs}"][step], TOLERANCE)
        close(total.item() / size, data[f"{kind}_loss_per_step_sum"][step], TOLERANCE)
        total.backward()
        optimizer.step()
        for name, value in our_state(data, f"{kind}_after_step{step + 1}__").items():
            close(network.state_dict()[name], value, TOLERANCE)


# Inference ----------------------------------------------------------------------------------------------------------


def decoded(video: str, **params) -> np.ndarray:
    """Rows [class, score, start s, end s] of the published method on stored network outputs."""
    method = CMCS(preset="published", **params)
    average = torch.from_numpy(DETECT[f"{video}__average_score"])
    samples = bare_videos(np.array([len(average)]), average.shape[1] - 1)
    samples.duration[:] = DETECT[f"{video}__duration"]
    samples.fps[:] = DETECT[f"{video}__fps"]
    scores = {
        "class_score": average.softmax(dim=1)[:, :-1].numpy(),
        "attention": DETECT[f"{video}__attention"].reshape(-1),
        "probability": torch.from_numpy(DETECT[f"{video}__global_score"]).softmax(dim=0)[None, :-1].numpy(),
    }
    found = method.decode(scores, samples)
    return sorted_rows(np.stack([found.label, found.score, found.start, found.end], axis=1))


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("video", VIDEOS)
def test_detections(video, setting):
    expected = sorted_rows(DETECT[f"{video}__{setting}_detections"])
    found = decoded(video, **SETTINGS[setting])
    assert len(found) == len(expected)
    close(found, expected, TOLERANCE)


@pytest.mark.parametrize("video", [video for video in VIDEOS if f"{video}__frame_metric" in DETECT])
def test_frames(video):
    """The signal on frames, what exceeds its mean, and the dilation of that."""
    classes = DETECT[f"{video}__kept_classes"]
    score = torch.from_numpy(DETECT[f"{video}__average_score"]).softmax(dim=1)[:, :-1].numpy()
    frames = DETECT[f"{video}__frame_metric"].shape[1]
    metric = upsample(of_its_range(score[:, classes]), FRAMES)[:frames].T
    assert frames == (len(score) - 1) * FRAMES + 1
    close(metric, DETECT[f"{video}__frame_metric"], TOLERANCE)
    active = metric > metric.mean(axis=1, keepdims=True)
    assert np.array_equal(active, DETECT[f"{video}__frame_mask_before_dilation"])
    spread = np.array([dilated(row, int(CMCS(preset="published").dilation * FRAMES)) for row in active])
    assert np.array_equal(spread, DETECT[f"{video}__frame_mask"])


def test_dilation():
    sizes = [int(m[1]) for key in DETECT if (m := re.fullmatch(r"dilation_(\d+)_first_last_offset", key))]
    assert sizes
    for size in sizes:
        alone = np.zeros(4 * size + 1, dtype=bool)
        alone[2 * size] = True
        spread = np.flatnonzero(dilated(alone, size)) - 2 * size
        assert [spread[0], spread[-1]] == DETECT[f"dilation_{size}_first_last_offset"].tolist()


def test_scores_of_runs():
    metric, mask = DETECT["score_only__metric"].reshape(-1), DETECT["score_only__mask"].reshape(-1) > 0
    for active, theirs in ((mask, "start_end_score"), (np.ones_like(mask), "whole_video_start_end_score")):
        first, last = runs_above(active, first_alone=True)
        score = context_contrast(metric, first, last, lose_left=True)
        close(np.stack([first, last + 1, score], axis=1), DETECT[f"score_only__{theirs}"], TOLERANCE)


def test_a_left_context_is_cut_at_the_start_unless_lost_as_released():
    metric = np.array([1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    first, last = np.array([3]), np.array([18])  # a context of four would begin one before the start
    assert context_contrast(metric, first, last)[0] == pytest.approx(1 - 1 / 3)
    assert context_contrast(metric, first, last, lose_left=True)[0] == 1.0


# Settings -----------------------------------------------------------------------------------------------------------


def test_published_settings():
    method = CMCS(preset="published")
    assert method.lr == DEFAULTS["lr"]["value"]["thumos I3D, UNT"]
    assert method.weight_decay == DEFAULTS["weight_decay"]["value"]["thumos"]
    assert method.steps == DEFAULTS["steps"]["value"]["thumos I3D"]
    assert method.dropout == DEFAULTS["dropout"]["value"]["thumos I3D"]
    assert method.branches == DEFAULTS["branches"]["value"]
    assert str(method.batch) == DEFAULTS["batch"]["value"]["thumos"].split()[0]
    assert str(method.hidden) == DEFAULTS["base"]["value"]["thumos"].split(",")[0]
    assert str(method.branch_hidden) == DEFAULTS["branch"]["value"]["thumos"].split(",")[0]
    assert FPS * FRAMES == 400
    server = CMCS(preset="activitynet")
    assert server.steps == DEFAULTS["steps"]["value"]["ActivityNet 1.2 I3D"]
    assert server.weight_decay == DEFAULTS["weight_decay"]["value"]["ActivityNet 1.2 I3D"]
    assert server.batch == DEFAULTS["batch"]["value"]["ActivityNet 1.2"]


def test_scores_average_modalities():
    """Late fusion: the mean of both networks' scores, before any softmax."""
    generator = torch.Generator().manual_seed(0)
    network = FusedBranches(6, "late", BranchShape(4, 3, 2, 2, 0.0, True))
    features, lengths = torch.randn(1, 5, 6, generator=generator), torch.tensor([5])
    with torch.no_grad():
        (rgb, _), (flow, _) = network(features, lengths)
        alone = network.nets[1](features[..., 3:], lengths)
    assert isinstance(rgb, BranchScores)
    close(flow.average, alone.average, 1e-6)
    assert not torch.equal(rgb.average, flow.average)
