"""Action Selection Learning's training step against the reference: every intermediate, every gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from methods.weak_localization.parts.distinct import once
from methods.weak_localization.parts.networks import ActionSelectionNet
from methods.weak_localization.parts.selection import (
    classification_loss,
    generalized_cross_entropy,
    pool,
    select,
    selected_positions,
    top_k,
)
from tests.golden import close, golden

GOLD = golden("asl_training_step.npz")
FULL = golden("asl_training_step_full_size.npz")
CASES = sorted({key.split("__")[0] for key in GOLD if "__param__" in key})
MODULES = {
    "base_module": "classifier",
    "action_module_rgb": "actionness.rgb",
    "action_module_flow": "actionness.flow",
}


def our_name(name: str) -> str:
    module, rest = name.split(".", 1)
    return f"{MODULES[module]}.{rest}"


def build(parameters: dict[str, np.ndarray]) -> ActionSelectionNet:
    hidden, width = parameters["base_module.0.weight"].shape
    network = ActionSelectionNet(width, hidden, parameters["base_module.2.weight"].shape[0]).double()
    network.load_state_dict({our_name(k): torch.as_tensor(v, dtype=torch.float64) for k, v in parameters.items()})
    return network


def losses(network, features, labels, q, k):
    """Everything the reference stores of one step."""
    scores = network(features)
    selection = select(scores.logits.softmax(-1), scores.actionness, 2 / 3)
    chosen = top_k(selection, 8)
    assert chosen.shape[1] == k, "the reference takes one position in eight"
    video = pool(scores.logits, chosen)
    mask = selected_positions(chosen, labels, features.shape[1])
    rgb, flow = (generalized_cross_entropy(scores.actionness[..., i], mask, q) for i in range(2))
    parts = {"classification": classification_loss(video, labels), "gce_rgb": rgb, "gce_flow": flow}
    return parts, {"scores": scores, "selection": selection, "chosen": chosen, "video": video, "mask": mask}


def check_forward(parts, seen, expected, tolerance, loose):
    close(seen["scores"].logits.detach(), expected["class_logits_cas"], loose)
    close(seen["scores"].actionness[..., 0].detach(), expected["actionness_rgb"], tolerance)
    close(seen["scores"].actionness[..., 1].detach(), expected["actionness_flow"], tolerance)
    close(seen["selection"].detach(), expected["selection_h"], loose)
    close(seen["video"].detach(), expected["video_logits"], tolerance)
    close(seen["video"].softmax(1).detach(), expected["video_class_probability"], tolerance)
    assert np.array_equal(np.sort(seen["chosen"].numpy(), axis=1), np.sort(expected["topk_indices"], axis=1))
    assert np.array_equal(seen["mask"].numpy(), expected["pseudo_target_mask"])
    for name, part in parts.items():
        close(part.item(), expected[f"loss_{name}"], tolerance)
    close(sum(parts.values()).item(), expected["loss_total"], tolerance)


@pytest.mark.parametrize("case", CASES)
def test_step_by_step(case):
    data = {key.split("__", 1)[1]: value for key, value in GOLD.items() if key.startswith(f"{case}__")}
    network = build({key.split("__")[1]: value for key, value in data.items() if key.startswith("param__")})
    features, labels = torch.from_numpy(data["features"]), torch.from_numpy(data["video_labels"])
    q, k = float(data["q"]), int(data["k_top"])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, weight_decay=5e-4)
    for step in range(3):
        parts, seen = losses(network, features, labels, q, k)
        if step == 0:
            check_forward(parts, seen, data, 1e-9, 1e-9)
        total = sum(parts.values())
        close(total.item(), data["loss_total_steps"][step], 1e-9)
        optimizer.zero_grad()
        total.backward()
        if step == 0:
            compare(network, data, "grad__", lambda p: p.grad, 1e-8)
        optimizer.step()
        if f"param_after_step{step + 1}__base_module.0.weight" in data:
            compare(network, data, f"param_after_step{step + 1}__", lambda p: p.detach(), 1e-9)


def compare(network, data, prefix, read, tolerance):
    parameters = dict(network.named_parameters())
    expected = {key.removeprefix(prefix): value for key, value in data.items() if key.startswith(prefix)}
    assert len(expected) == len(parameters)
    for name, value in expected.items():
        close(read(parameters[our_name(name)]), value, tolerance)


def full_size(dtype: torch.dtype):
    names = [key.removeprefix("param_int__") for key in FULL if key.startswith("param_int__")]
    network = build({n: FULL[f"param_int__{n}"] * FULL[f"param_scale__{n}"] for n in names}).to(dtype)
    features = torch.as_tensor(FULL["features_uint8"] * float(FULL["feature_scale"]), dtype=dtype)
    k = FULL["topk_indices"].shape[1]
    parts, seen = losses(network, features, torch.as_tensor(FULL["video_labels"], dtype=dtype), 0.7, k)
    sum(parts.values()).backward()
    return network, parts, seen


def test_full_size_step_in_double():
    network, parts, seen = full_size(torch.float64)
    check_forward(parts, seen, FULL, 1e-9, 1e-6)
    check_full_gradients(network, 1e-8)


def test_full_size_step_in_single():
    network, parts, seen = full_size(torch.float32)
    for name, part in parts.items():
        close(part.item(), FULL[f"loss_{name}"], 1e-5)
    close(seen["video"].detach(), FULL["video_logits"], 1e-5)
    check_full_gradients(network, 1e-4)


def check_full_gradients(network, tolerance):
    gradients = {name: p.grad.double().numpy() for name, p in network.named_parameters()}
    for key, value in FULL.items():
        kind, _, name = key.partition("__")
        if kind == "grad":
            close(gradients[our_name(name)], value, tolerance)
        elif kind == "grad_frobenius":
            close(np.linalg.norm(gradients[our_name(name)]), value, tolerance)
        elif kind == "grad_sum_over_outputs":
            close(gradients[our_name(name)].sum(axis=0), value, 10 * tolerance)
        elif kind == "grad_sum_over_inputs":
            close(gradients[our_name(name)].sum(axis=1), value, 10 * tolerance)
        elif kind == "grad_sample_values":
            row, column = FULL[f"grad_sample_rows__{name}"], FULL[f"grad_sample_cols__{name}"]
            close(gradients[our_name(name)][row, column], value, tolerance)


@pytest.mark.parametrize("case", CASES)
def test_distinct_form_has_the_numbers_of_the_naive_form(case):
    """Repeat the case's positions at random: computing each once must change nothing, gradients included."""
    data = {key.split("__", 1)[1]: value for key, value in GOLD.items() if key.startswith(f"{case}__")}
    parameters = {key.split("__")[1]: value for key, value in data.items() if key.startswith("param__")}
    batch, positions, width = data["features"].shape
    store = torch.from_numpy(data["features"]).reshape(-1, width)
    draw = np.sort(np.random.default_rng(7).integers(0, positions, (batch, 3 * positions)), axis=1)
    index = torch.from_numpy(draw + positions * np.arange(batch)[:, None])
    weights = torch.from_numpy(np.random.default_rng(8).normal(size=index.shape))
    naive, fast = build(parameters), build(parameters)
    expected, actual = naive(store[index]), once(fast, store, index)
    for ours, theirs in zip(actual, expected):
        close(ours.detach(), theirs.detach(), 1e-12)
        (ours * weights[..., None]).sum().backward()
        (theirs * weights[..., None]).sum().backward()
    for ours, theirs in zip(fast.parameters(), naive.parameters()):
        close(ours.grad, theirs.grad, 1e-10)


def loss_only_cases():
    return sorted(key.split("__")[1] for key in GOLD if key.startswith("loss_only__gce") and key.endswith("__loss"))


@pytest.mark.parametrize("name", loss_only_cases())
def test_generalized_cross_entropy_alone(name):
    actionness = torch.from_numpy(GOLD["loss_only__actionness"]).requires_grad_()
    mask = torch.from_numpy(GOLD["loss_only__mask"]).double()
    loss = generalized_cross_entropy(actionness, mask, float(name.removeprefix("gce_q")))
    loss.backward()
    close(loss.item(), GOLD[f"loss_only__{name}__loss"], 1e-9)
    close(actionness.grad, GOLD[f"loss_only__{name}__grad"], 1e-8)


def test_classification_loss_alone():
    logits = torch.from_numpy(GOLD["loss_only__video_logits"]).requires_grad_()
    loss = classification_loss(logits, torch.from_numpy(GOLD["loss_only__video_labels"]).double())
    loss.backward()
    close(loss.item(), GOLD["loss_only__classification__loss"], 1e-9)
    close(logits.grad, GOLD["loss_only__classification__grad"], 1e-8)
