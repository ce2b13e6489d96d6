"""SlowFast against stored outputs of the reference network: stages, actor features, logits, loss, gradients, shapes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from methods.networks.slowfast import SlowFast, slow_indices
from methods.networks.slowfast_head import LinearActorHead
from tests.golden import close, golden

INFO = golden("slowfast_info.json")
DATA = golden("slowfast_forward.npz")


class Detector(nn.Module):
    """Backbone and head with the parameter names of the stored weights."""

    def __init__(self, aligned: bool) -> None:
        super().__init__()
        small = INFO["small"]
        self.backbone = SlowFast(
            small["width"], small["depth_blocks"], small["alpha"], small["beta_inv"], small["fusion_kernel"]
        )
        self.head = LinearActorHead(self.backbone.channels, small["num_classes"], aligned=aligned)


def detector(aligned: bool = True, dtype: torch.dtype = torch.float32) -> Detector:
    weights = {name[2:]: torch.tensor(value) for name, value in DATA.items() if name.startswith("w/")}
    network = Detector(aligned)
    backbone = {name: value for name, value in weights.items() if not name.startswith("head.")}
    missing, unexpected = network.backbone.load_state_dict(backbone, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    network.head.load_state_dict({name[5:]: value for name, value in weights.items() if name.startswith("head.")})
    return network.to(dtype).eval()


def inputs(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(DATA["in/clip"]).to(dtype), torch.tensor(DATA["in/boxes_batchidx_x1y1x2y2_px"]).to(dtype)


def test_slow_pathway_sees_the_frames_of_the_reference() -> None:
    alpha = INFO["small"]["alpha"]
    assert slow_indices(DATA["in/clip"].shape[2], alpha).tolist() == DATA["in/slow_frame_index"].tolist()


def test_every_stage_gives_the_maps_of_the_reference() -> None:
    network, seen = detector(), {}
    for name, module in network.backbone.named_modules():
        module.register_forward_hook(lambda _, __, output, name=name: seen.__setitem__(name, output))
    with torch.no_grad():
        network.backbone(inputs()[0])
    stored = [key for key in DATA if key.startswith("out/s") and key.endswith(("_slow", "_fast"))]
    assert stored
    for key in stored:
        name, pathway = key.removeprefix("out/").rsplit("_", 1)
        maps = seen[name][0 if pathway == "slow" else 1]
        expected = DATA[key]
        step = 1 if maps.shape == expected.shape else 4  # large arrays are stored with every fourth frame
        scale = np.abs(expected).max()  # single precision: rounding of deep maps goes with their largest values
        close(maps[:, :, ::step] / scale, expected / scale, 1e-5)


@pytest.mark.parametrize(("aligned", "name"), [(True, "aligned"), (False, "not_aligned")])
def test_logits_of_both_box_conventions(aligned: bool, name: str) -> None:
    network, (clip, boxes) = detector(aligned), inputs()
    with torch.no_grad():
        maps = network.backbone(clip)
        close(
            network.head.features(*maps, boxes), DATA["out/roi_feat" if aligned else "out/roi_feat_not_aligned"], 1e-4
        )
        logits = network.head(*maps, boxes)
    close(logits, DATA[f"out/logits_{name}"], 1e-4)
    if aligned:
        close(logits.sigmoid(), DATA["out/prob_aligned"], 1e-4)


def test_logits_in_double_precision() -> None:
    network, (clip, boxes) = detector(dtype=torch.float64), inputs(torch.float64)
    with torch.no_grad():
        close(network.head(*network.backbone(clip), boxes), DATA["out/logits_aligned_f64"], 1e-9)


def test_loss_and_gradients() -> None:
    network, (clip, boxes) = detector(), inputs()
    logits = network.head(*network.backbone(clip), boxes)
    loss = F.binary_cross_entropy_with_logits(logits, torch.tensor(DATA["in/targets"]))
    close(loss.detach(), DATA["out/bce_mean_loss"], 1e-5)
    loss.backward()
    gradients = {**dict(network.backbone.named_parameters()), **dict(network.named_parameters())}
    for key in (key for key in DATA if key.startswith("grad/")):
        expected = DATA[key]
        assert np.abs(expected).max() > 0
        difference = np.abs(gradients[key.removeprefix("grad/")].grad.numpy() - expected).max()
        assert difference <= 1e-4 * max(1.0, np.abs(expected).max()), key


@pytest.mark.parametrize("fusion", [key.removeprefix("full_R50_fusion") for key in INFO if "_fusion" in key])
def test_parameter_count_of_the_full_network(fusion: str) -> None:
    expected = INFO[f"full_R50_fusion{fusion}"]
    with torch.device("meta"):
        backbone = SlowFast(fusion_kernel=int(fusion))
        head = LinearActorHead(backbone.channels, INFO["small"]["num_classes"])
    assert sum(parameter.numel() for parameter in backbone.parameters()) == expected["params_backbone"]
    if backbone.channels[0] + backbone.channels[1] + 1 == expected["params_head"] // head.projection.out_features:
        assert sum(parameter.numel() for parameter in head.parameters()) == expected["params_head"]


@pytest.mark.parametrize("size", [key.removeprefix("full_R50_shapes_") for key in INFO if "_shapes_" in key])
def test_shape_of_every_layer_of_the_full_network(size: str) -> None:
    """On the meta device: shapes without arithmetic, so the full network costs nothing."""
    expected, seen = INFO[f"full_R50_shapes_{size}"], {}
    height, width = (int(value) for value in size.split("x"))
    with torch.device("meta"):
        backbone = SlowFast()
        for name, module in backbone.named_modules():
            module.register_forward_hook(lambda _, __, output, name=name: seen.__setitem__(name, output))
        backbone(torch.empty(1, 3, 32, height, width))
    shapes = {
        name: list(out.shape) if torch.is_tensor(out) else [list(o.shape) for o in out] for name, out in seen.items()
    }
    compared = set(shapes) & set(expected)
    assert {name for name in expected if ".bn" in name or "_bn" in name or name.endswith(".c")} <= compared
    assert {name: shapes[name] for name in compared} == {name: expected[name] for name in compared}


def test_weight_names_are_those_of_the_published_checkpoints() -> None:
    with torch.device("meta"):
        state = SlowFast().state_dict()
    ours = {name: list(value.shape) for name, value in state.items() if not name.endswith("num_batches_tracked")}
    theirs = {name: shape for name, shape in INFO["full_R50_weights"].items() if not name.startswith("head.")}
    assert ours == theirs
