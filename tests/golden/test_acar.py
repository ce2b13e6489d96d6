"""ACAR's relation head, linear head and loss against stored outputs of the reference code."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from methods.actor_detection.parts.losses import action_probabilities, multi_label_loss
from methods.networks.acar import RelationBlock, RelationHead, without_padding
from methods.networks.slowfast_head import LinearActorHead, boxes_on_map, pool_in_time
from tests.golden import close, golden

INFO = golden("acar_head.json")
DATA = golden("acar_head.npz")
LOSS = golden("acar_loss.npz")


def head(dtype: torch.dtype = torch.float32) -> RelationHead:
    network = RelationHead(
        tuple(INFO["width"]), INFO["num_classes"], INFO["reduce_dim"], INFO["hidden_dim"], INFO["depth"]
    )
    network.load_state_dict({name[2:]: torch.tensor(value) for name, value in DATA.items() if name.startswith("w/")})
    return network.to(dtype).eval()


def inputs(dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    names = ("features_slow", "features_fast", "rois_batchidx_x1y1x2y2_norm", "sizes_before_padding_w_h")
    return [torch.tensor(DATA[f"in/{name}"]).to(dtype) for name in names]


@pytest.mark.parametrize(
    ("name", "dtype", "tolerance"), [("logits", torch.float32, 1e-5), ("logits64", torch.float64, 1e-9)]
)
def test_logits_of_the_relation_head(name: str, dtype: torch.dtype, tolerance: float) -> None:
    boxes_before = inputs(dtype)[2]
    given = inputs(dtype)
    with torch.no_grad():
        close(head(dtype)(*given), DATA[f"out/{name}"], tolerance)
    assert torch.equal(given[2], boxes_before), "the head must not change its caller's boxes"


def test_maps_on_the_way() -> None:
    network, (slow, fast, boxes, sizes) = head(), inputs()
    with torch.no_grad():
        maps = network.conv_reduce(torch.cat(pool_in_time(slow, fast), dim=1))
        close(maps, DATA["mid/conv_reduce"], 1e-5)
        actors = torch.tensor(DATA["mid/roi_pooled"])
        starts = DATA["in/roi_ids"].tolist()
        for clip, (first, last) in enumerate(pairwise(starts)):
            key = f"mid/clip{clip}_after"
            if f"{key}_hr2o" not in DATA:
                assert first == last
                continue
            context = without_padding(maps[clip], sizes[clip])
            close(network.pair(context, actors[first:last]), DATA[f"{key}_downsample"], 1e-5)
            close(network.relate(context, actors[first:last]), DATA[f"{key}_hr2o"], 1e-5)
    assert boxes_on_map(boxes, maps).shape == boxes.shape


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_relation_block_alone(dtype: torch.dtype) -> None:
    block: RelationBlock = head(dtype).hr2o[0]
    actors = torch.tensor(DATA["hr2o/in"]).to(dtype)
    with torch.no_grad():
        close(block(actors), DATA["hr2o/out64" if dtype == torch.float64 else "hr2o/out"], 1e-5)
        attention = block.attention(actors)
    close(attention, DATA["hr2o/attention_i_j_y_x"], 1e-5)
    close(attention.sum(dim=1), torch.ones_like(attention[:, 0]), 1e-5)


def test_linear_head() -> None:
    slow, fast, boxes, _ = inputs()
    weight = torch.tensor(DATA["linear/w_fc.weight"])
    network = LinearActorHead((slow.shape[1], fast.shape[1]), len(weight), 0.0, bias=False, aligned=False, scale=None)
    network.load_state_dict({"projection.weight": weight})
    with torch.no_grad():
        close(network.eval()(slow, fast, boxes), DATA["linear/out"], 1e-5)


def test_parameter_counts_of_the_full_heads() -> None:
    with torch.device("meta"):
        relation, linear = RelationHead((2048, 256), 60), LinearActorHead((2048, 256), 60, 0.0, bias=False)
    assert sum(p.numel() for p in relation.parameters()) == INFO["full_params_acar"]
    assert sum(p.numel() for p in linear.parameters()) == INFO["full_params_linear"]


def sharing_a_softmax(probabilities: np.ndarray) -> int:
    """How many of the first classes add up to one in every row; 0 if no number does."""
    sums = np.isclose(probabilities.astype(np.float64).cumsum(axis=1), 1, atol=1e-5).all(axis=0)
    return int(sums.argmax()) + 1 if sums.any() else 0


@pytest.mark.parametrize("kind", ["pose_softmax", "sigmoid"])
def test_loss_with_and_without_softmax_over_poses(kind: str) -> None:
    poses = sharing_a_softmax(LOSS[f"{kind}/prob"])
    assert (poses > 0) == (kind == "pose_softmax")
    logits = torch.tensor(LOSS["logits"], dtype=torch.float64, requires_grad=True)
    targets = torch.tensor(LOSS["targets"], dtype=torch.float64)
    close(action_probabilities(logits, poses).detach(), LOSS[f"{kind}/prob"], 1e-6)
    loss = multi_label_loss(logits, targets, poses).mean()
    close(loss.detach(), LOSS[f"{kind}/loss"], 1e-6)
    loss.backward()
    close(logits.grad, LOSS[f"{kind}/grad_logits"], 1e-6)
