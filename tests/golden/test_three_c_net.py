"""3C-Net against its released code: forward pass, losses, four steps of the trainer, detections."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from methods.weak_localization.parts.peak_localizer import multiple_instance_loss, top_share_mean
from methods.weak_localization.parts.three_c_losses import attended_features, centre_gradient, centre_loss, count_loss
from methods.weak_localization.parts.three_c_network import ThreeCNetwork, counting_features
from methods.weak_localization.three_c_net import CENTRE_RATE, LEAST_SNIPPETS, ThreeCNet, counts_at
from suite.method import Run
from suite.tasks.data import TaskData
from suite.train.optimizers import make_optimizer
from tests.golden import close, golden
from tests.golden.test_asl_inference import bare_videos, sorted_rows

STEP = golden("three_c_net_step.npz")
DETECT = golden("three_c_net_inference.npz")
CASES = sorted({key.split("__")[0] for key in STEP if "__features" in key})
STEPPED = sorted({key.split("__")[0] for key in STEP if "__after_itr" in key})
LOSSES = sorted({key.split("__")[0] for key in STEP if "__loss_category_tcam" in key})
VIDEOS = sorted({m[1] for key in DETECT if (m := re.fullmatch(r"(v\d+)__tcam", key))})
STREAMS = {"rgb": 0, "flow": 1}
DIVISOR = 8
TOLERANCE = 1e-9


def case_data(case: str) -> dict[str, torch.Tensor]:
    found = {key.split("__", 1)[1]: value for key, value in STEP.items() if key.startswith(f"{case}__")}
    return {key: torch.from_numpy(np.asarray(value)) for key, value in found.items()}


def our_state(parameters: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Released names to ours; multipliers of both modalities are one tensor."""
    state = {"share": torch.stack([parameters["mul_r"], parameters["mul_f"]])}
    for letter, stream in (("r", 0), ("f", 1)):
        for theirs, ours in (("fc", "embed.{}.0"), ("fc1", "embed.{}.2"), ("classifier", "classify.{}")):
            for kind in ("weight", "bias"):
                state[f"{ours.format(stream)}.{kind}"] = parameters[f"{theirs}_{letter}.{kind}"]
    if "conv.weight" in parameters:
        state["temporal.weight"] = parameters["conv.weight"]
    return state


def parameters_of(data: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): value for key, value in data.items() if key.startswith(prefix)}


def build(data: dict[str, torch.Tensor]) -> ThreeCNetwork:
    parameters = parameters_of(data, "param__")
    hidden, half = parameters["fc_r.weight"].shape
    classes = len(parameters["mul_r"])
    network = ThreeCNetwork(2 * half, hidden, classes, 0.0, temporal="conv.weight" in parameters).double()
    network.load_state_dict(our_state(parameters))
    return network


def outputs(data: dict[str, torch.Tensor], network: ThreeCNetwork):
    longest = int(data["lengths"].max())
    return network(data["features"][:, :longest])


@pytest.mark.parametrize("case", CASES)
def test_forward(case):
    data = case_data(case)
    scores = outputs(data, build(data))
    for name, stream in STREAMS.items():
        close(scores.embedding[..., stream, :].detach(), data[f"embedding_{name}"], TOLERANCE)
        close(scores.streams[..., stream, :].detach(), data[f"logits_{name}"], TOLERANCE)
    close(scores.activation.detach(), data["tcam"], TOLERANCE)


@pytest.mark.parametrize("case", CASES)
def test_counting_features(case):
    """Released features beyond a video's end are left as they come; ours are zero there, and nobody reads them."""
    data = case_data(case)
    found = counting_features(data["tcam"], data["lengths"])
    found = found[..., data["count_classes"]] if "count_classes" in data else found
    for video, length in enumerate(data["lengths"]):
        close(found[video, :length], data["count_features"][video, :length], TOLERANCE)
        assert not found[video, length:].any()


@pytest.mark.parametrize("view", ["rgb", "flow", "tcam"])
@pytest.mark.parametrize("case", LOSSES)
def test_category_loss(case, view):
    data = case_data(case)
    activation = data["tcam" if view == "tcam" else f"logits_{view}"].clone().requires_grad_()
    labels, lengths = data["video_labels"], data["lengths"]
    counted = (lengths >= LEAST_SNIPPETS) & (labels.sum(dim=1) > 0)
    loss = multiple_instance_loss(activation, lengths, labels, DIVISOR, counted)
    loss.backward()
    close(loss.item(), data[f"loss_category_{view}"], TOLERANCE)
    expected = data[f"grad_category_{view}"]
    close(activation.grad.sum(dim=1), expected.sum(dim=1), 1e-8)
    tied = tied_at_the_boundary(activation.detach(), lengths)
    close(activation.grad.masked_fill(tied, 0.0), expected.masked_fill(tied, 0.0), 1e-8)


def tied_at_the_boundary(activation: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """(B, T, C) whether a value is the k-th largest and not alone: any choice among such values is right."""
    found = torch.zeros_like(activation, dtype=torch.bool)
    for video, length in enumerate(lengths.tolist()):
        own = activation[video, :length]
        least = own.topk(-(-length // DIVISOR), dim=0).values[-1]
        same = own == least
        found[video, :length] = same & (same.sum(dim=0) > 1)
    return found


@pytest.mark.parametrize("case", [case for case in LOSSES if f"{case}__loss_count" in STEP])
def test_count_loss(case):
    data = case_data(case)
    features = data["count_features"].clone().requires_grad_()
    beyond = torch.arange(features.shape[1])[None, :, None] >= data["lengths"][:, None, None]
    loss = count_loss(features.masked_fill(beyond, 0.0), data["instance_counts"], data["lengths"], 1e-3)
    loss.backward()
    close(loss.item(), data["loss_count"], TOLERANCE)
    close(features.grad, data["grad_count_features"], 1e-8)


def centre_cases():
    pattern = re.compile(r"(\w+)__loss_centre_(rgb|flow)_itr(\d+)$")
    return sorted((m[1], m[2], int(m[3])) for key in STEP if (m := pattern.fullmatch(key)))


def labels_at(data, itr: int) -> torch.Tensor:
    labels = data["video_labels"]
    return labels * (labels.sum(dim=1, keepdim=True) == 1) if itr < ThreeCNet().single_steps else labels


@pytest.mark.parametrize(("case", "view", "itr"), centre_cases())
def test_centre_loss(case, view, itr):
    data, key = case_data(case), f"centre_{view}_itr{itr}"
    embedding = data[f"embedding_{view}"].clone().requires_grad_()
    logits = data[f"logits_{view}"].clone().requires_grad_()
    centres = data[f"centres_{view}"][None]
    labels = labels_at(data, itr)
    features = attended_features(logits[:, :, None], embedding[:, :, None], data["lengths"])
    video, label = torch.nonzero(labels, as_tuple=True)
    assert np.array_equal(label, data[f"{key}_pooled_classes"])
    close(features[video, 0, label].detach(), data[f"{key}_pooled_features"], TOLERANCE)
    loss = centre_loss(features, centres, labels, "released")
    close(loss.item(), data[f"loss_{key}"], TOLERANCE)
    close(centre_loss(features, centres, labels, "mean").item(), data[f"{key}_plain_mean_squared_distance"], TOLERANCE)
    close(centre_gradient(features, centres, labels, "released")[0], data[f"grad_{key}_centres"], 1e-8)
    loss.backward()
    close(embedding.grad, data[f"grad_{key}_embedding"], 1e-8)
    close(logits.grad, data[f"grad_{key}_logits"], 1e-8)


@pytest.mark.parametrize("case", [case for case in STEPPED if f"{case}__count_classes" not in STEP])
def test_four_steps_of_the_trainer(case):
    """The method itself, as published, called with the released iteration numbers."""
    data = case_data(case)
    lengths = data["lengths"]
    method = ThreeCNet(preset="published", dropout=0.0, hidden=data["centres_rgb"].shape[1])
    network, run = build(data), run_of(data)
    run.network = network
    (run.phase,) = method.phases(run.data)
    run.memory["centres"] = torch.stack([data["centres_rgb"], data["centres_flow"]])
    optimizer = make_optimizer(method, network, run.phase.optimizer)
    videos, longest = len(lengths), int(lengths.max())
    start = torch.arange(videos)[:, None] * data["features"].shape[1]
    batch = {"video": torch.arange(videos), "index": start + torch.arange(longest), "length": lengths}
    iterations = [int(re.fullmatch(r"after_itr(\d+)__mul_r", key)[1]) for key in data if key.endswith("__mul_r")
                  and key.startswith("after")]  # fmt: skip
    key = next(key for key in data if key.startswith("loss_total_itr"))
    for place, itr in enumerate(sorted(iterations)):
        run.step = itr
        total = sum(method.loss(network, batch, run).values())
        close(total.item(), data[key][place], TOLERANCE)
        if total > 0:  # the released trainer takes no step of the network at a loss of 0 (one class alone)
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
        method.after_step(run)
        after = parameters_of(data, f"after_itr{itr}__")
        for name, value in our_state(after).items():
            close(network.state_dict()[name], value, TOLERANCE)
        for view, stream in STREAMS.items():
            close(run.memory["centres"][stream], after[f"centres_{view}"], TOLERANCE)
    assert [counts_at(itr) for itr in (0, 1, 2, 5000)] == [False, False, True, True]
    assert CENTRE_RATE == 0.1


def run_of(data: dict[str, torch.Tensor]) -> Run:
    """A run whose residents are the golden arrays in double precision."""
    videos, positions, width = data["features"].shape
    samples = bare_videos(np.full(videos, positions), data["video_labels"].shape[1])
    task = TaskData("golden", "weak-localization", ("",) * data["video_labels"].shape[1], samples, samples, samples)
    run = Run(task, torch.nn.Identity(), 0, torch.device("cpu"), lambda *_: None, lambda _, make: make())
    run.residents["rows"] = data["features"].reshape(-1, width)
    run.residents["video_labels"] = data["video_labels"]
    if "instance_counts" in data:
        run.residents["instances"] = data["instance_counts"]
    return run


def detections(name: str, method: ThreeCNet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Video scores (C,), kept classes and rows [class, first, end (not included), score]."""
    tcam = DETECT[f"{name}__tcam"]
    video = method.video_scores(tcam)
    samples = bare_videos(np.array([len(tcam)]), tcam.shape[1])
    found = method.decode({"activation": tcam, "video": video[None]}, samples)
    seconds = float(samples.snippet_seconds[0])
    rows = np.stack([found.label, found.start / seconds, found.end / seconds, found.score], axis=1)
    return video, method.kept(video, len(tcam)), rows


@pytest.mark.parametrize("protocol", ["thumos", "anet"])
@pytest.mark.parametrize("name", VIDEOS)
def test_detections(name, protocol):
    method = ThreeCNet(preset={"thumos": "published", "anet": "activitynet"}[protocol])
    video, kept, rows = detections(name, method)
    close(video, DETECT[f"{name}__{protocol}_video_score"], TOLERANCE)
    assert np.array_equal(kept, DETECT[f"{name}__{protocol}_kept_classes"])
    expected = DETECT[f"{name}__{protocol}_proposals"].reshape(-1, 4)
    assert len(rows) == len(expected)
    close(sorted_rows(rows), sorted_rows(expected), TOLERANCE)


def test_scores_for_classification():
    """The released classification mAP ranks videos by three softmaxes together; our losses share its pooling."""
    expected = DETECT["video_score_for_classification"]
    for number, name in enumerate(sorted(VIDEOS, key=lambda n: int(n[1:]))):
        total = 0
        for view in ("tcam", "logits_rgb", "logits_flow"):
            signal = torch.from_numpy(DETECT[f"{name}__{view}"])[None]
            total = total + top_share_mean(signal, torch.tensor([signal.shape[1]]), DIVISOR)[0].softmax(dim=0)
        close(total, expected[number], TOLERANCE)
