"""BaSNet's training step against the reference: scores, losses, gradients and weights after three steps."""

from __future__ import annotations

import pytest
import torch

from methods.weak_localization.basnet import basnet_losses
from methods.weak_localization.parts.basnet_network import BaSNetNet
from tests.golden import close, golden

GOLD = golden("basnet_step.npz")
CASES = sorted({key.split("__")[0] for key in GOLD if "__param__" in key})
MODULES = {
    "filter_module.conv_1.0": "filter.0",
    "filter_module.conv_2.0": "filter.2",
    "cas_module.conv_1.0": "activation.0",
    "cas_module.conv_2.0": "activation.2",
    "cas_module.conv_3.0": "classifier",
}


def our_name(name: str) -> str:
    module, kind = name.rsplit(".", 1)
    return f"{MODULES[module]}.{kind}"


def case_data(case: str):
    return {key.split("__", 1)[1]: value for key, value in GOLD.items() if key.startswith(f"{case}__")}


def build(data) -> BaSNetNet:
    shape = {name: data[f"param__{name}.weight"].shape for name in MODULES}
    network = BaSNetNet(
        width=shape["cas_module.conv_1.0"][1],
        filter_hidden=shape["filter_module.conv_1.0"][0],
        hidden=shape["cas_module.conv_1.0"][0],
        classes=shape["cas_module.conv_3.0"][0] - 1,
        dropout=0.0,
        slope=float(data["leaky_relu_negative_slope"]),
    ).double()
    state = {
        our_name(k.removeprefix("param__")): torch.from_numpy(v) for k, v in data.items() if k.startswith("param__")
    }
    network.load_state_dict(state)
    return network


@pytest.mark.parametrize("case", CASES)
def test_three_steps(case):
    data = case_data(case)
    network = build(data)
    features, labels = torch.from_numpy(data["features"]), torch.from_numpy(data["video_labels"])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, weight_decay=5e-4)
    for step in range(3):
        scores = network(features)
        parts = basnet_losses(scores, labels, 8, float(data["alpha"]))
        total = sum(parts.values())
        close(total.item(), data["loss_total_steps"][step], 1e-9)
        optimizer.zero_grad()
        total.backward()
        if step == 0:
            check_first(data, scores, parts, network)
        optimizer.step()
    compare(network, data, "param_after_step3__", lambda p: p.detach())


def check_first(data, scores, parts, network):
    close(scores.base.detach(), data["cas_base"], 1e-9)
    close(scores.suppressed.detach(), data["cas_supp"], 1e-9)
    close(scores.foreground.detach(), data["foreground_weights"], 1e-9)
    close(scores.base_probability(8).detach(), data["score_base"], 1e-9)
    close(scores.suppressed_probability(8).detach(), data["score_supp"], 1e-9)
    close(parts["base"].item(), data["loss_base"], 1e-9)
    close(parts["suppressed"].item(), data["loss_supp"], 1e-9)
    close(parts["foreground"].item(), data["alpha"] * data["loss_norm"], 1e-9)
    compare(network, data, "grad__", lambda p: p.grad)


def compare(network, data, prefix, read):
    parameters = dict(network.named_parameters())
    expected = {key.removeprefix(prefix): value for key, value in data.items() if key.startswith(prefix)}
    assert len(expected) == len(parameters)
    for name, value in expected.items():
        close(read(parameters[our_name(name)]), value, 1e-8)
