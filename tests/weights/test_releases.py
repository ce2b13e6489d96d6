"""Released weights of SlowFast, ACAR, ActionFormer and BMN in our networks: names, shapes, outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from methods.networks.actionformer import release as actionformer
from methods.networks.actionformer.config import ActionFormerConfig
from methods.networks.actionformer.model import ActionFormer
from methods.networks.bmn import release as bmn
from methods.networks.bmn.model import BMN, BMNConfig
from methods.networks.slowfast_detector import ActorDetector
from methods.networks.slowfast_release import RELEASE as SLOWFAST
from suite.weights import Release, take
from suite.weights.reading import read_tensors
from tests.golden import golden
from tests.weights.releases import caffe2, names, random, shaken, weights_of

THUMOS = ActionFormerConfig(input_dim=2048, classes=20)
Build = Callable[[], nn.Module]
FULL: list[tuple[str, Build, Release]] = [
    ("slowfast_caffe2", lambda: ActorDetector(80), SLOWFAST),
    ("slowfast_acar", lambda: ActorDetector(60, head="relation"), SLOWFAST),
    ("actionformer", lambda: ActionFormer(THUMOS), actionformer.RELEASE),
    ("bmn_jjboy", lambda: BMN(BMNConfig(length=20)), bmn.RELEASE),
    ("bmn_opentad", lambda: BMN(BMNConfig(length=20, longest=20, layout="duration-start", proposal=128)), bmn.RELEASE),
]


def bare(shape: tuple[int, ...]) -> list[int]:
    return [size for size in shape if size != 1]


@pytest.mark.parametrize(("released", "build", "release"), FULL, ids=[row[0] for row in FULL])
def test_every_tensor_of_a_release_has_a_place_and_every_place_a_tensor(released: str, build: Build, release: Release):
    """At full size, without arithmetic: names and shapes of the released networks against ours."""
    listed = {name.removeprefix("module."): shape for name, shape in names(released).items()}
    ours = release.ours({name: torch.empty(shape, device="meta") for name, shape in listed.items()})
    with torch.device("meta" if "bmn" not in released else "cpu"):
        own = weights_of(build())
    assert {n: bare(tuple(t.shape)) for n, t in ours.items()} == {n: bare(tuple(t.shape)) for n, t in own.items()}


def test_names_of_pyslowfast():
    listed = golden("slowfast_info.json")["full_R50_weights"]
    ours = SLOWFAST.ours({name: torch.empty(shape, device="meta") for name, shape in listed.items()})
    with torch.device("meta"):
        own = weights_of(ActorDetector(80))
    assert {n: tuple(t.shape) for n, t in ours.items()} == {n: tuple(t.shape) for n, t in own.items()}


# Round trips: a small network saved under released names, read into a fresh one, must compute the same. The released
# names of each of our tensors are looked up in the lists of the releases, by the place of the full network.

SMALL = {"width": 8, "blocks": (1, 1, 1, 1)}


def under_released_names(network: nn.Module, released: str, full: Build, release: Release) -> dict[str, Tensor]:
    """The tensors of ``network`` under the names of a release; the full network says which is which."""
    listed = names(released)
    place = {}
    for name in listed:
        plain = name.removeprefix("module.")
        place |= dict.fromkeys(release.ours({plain: torch.zeros(1)}), name)
    own = weights_of(network)
    assert set(own) <= set(place)
    return {place[name]: tensor for name, tensor in own.items()}


def clips() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    boxes = torch.tensor([[0, 0.1, 0.2, 0.6, 0.9], [0, 0.3, 0.1, 0.95, 0.8]])
    return torch.rand((1, 3, 8, 48, 64), generator=generator), boxes


@pytest.mark.parametrize(("released", "head"), [("slowfast_caffe2", "linear"), ("slowfast_acar", "relation")])
def test_slowfast_computes_the_same_after_a_round_trip(tmp_path: Path, released: str, head: str):
    build = lambda: ActorDetector(80, **SMALL, head=head)  # noqa: E731
    network, again = shaken(build()), shaken(build())
    tensors = under_released_names(network, released, build, SLOWFAST)
    if released == "slowfast_caffe2":
        path = caffe2(tensors, tmp_path / "SLOWFAST.pkl")
    else:
        torch.save({"epoch": 6, "state_dict": tensors}, path := tmp_path / "ckpt_6.pth.tar")
    for tensor in again.state_dict().values():
        tensor.zero_()
    assert take(again, read_tensors(path), SLOWFAST).whole
    with torch.no_grad():
        expected = network(*clips())
        assert expected.std() > 0
        assert torch.equal(again(*clips()), expected)


def test_pyslowfast_computes_the_same_after_a_round_trip(tmp_path: Path):
    network, again = shaken(ActorDetector(80, **SMALL)), ActorDetector(80, **SMALL).eval()
    state = {name.removeprefix("backbone."): tensor for name, tensor in network.state_dict().items()}
    torch.save({"epoch": 196, "model_state": state, "optimizer_state": {}, "cfg": ""}, tmp_path / "checkpoint.pyth")
    assert take(again, read_tensors(tmp_path / "checkpoint.pyth"), SLOWFAST).whole
    with torch.no_grad():
        assert torch.equal(again(*clips()), network(*clips()))


def test_actionformer_computes_the_same_after_a_round_trip(tmp_path: Path):
    config = ActionFormerConfig(12, 3, embedding=16, windows=(5,) * 6, max_length=128)
    network, again = shaken(ActionFormer(config)), ActionFormer(config).eval()
    shapes = names("actionformer")
    state = {
        f"module.{name}": tensor[None, :, None] if len(shapes[f"module.{name}"]) == 3 and tensor.dim() == 1 else tensor
        for name, tensor in network.state_dict().items()
    }
    raw = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
    torch.save({"epoch": 35, "state_dict": raw, "state_dict_ema": state}, tmp_path / "epoch_035.pth.tar")
    assert take(again, read_tensors(tmp_path / "epoch_035.pth.tar"), actionformer.RELEASE).whole
    features, lengths = torch.rand((1, 60, 12)), torch.tensor([60])
    with torch.no_grad():
        for one, other in zip(network(features, lengths), again(features, lengths), strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize("released", ["bmn_jjboy", "bmn_opentad"])
def test_bmn_computes_the_same_after_a_round_trip(tmp_path: Path, released: str):
    """OpenTAD's confidence has classification before regression, so its channels change places."""
    small = BMNConfig(input_dim=8, length=10, longest=10, hidden=8, proposal=8, sampled=8, map_hidden=8, samples=4)
    network, again = shaken(BMN(small)), BMN(small).eval()
    tensors = under_released_names(network, released, lambda: BMN(small), bmn.RELEASE)
    if released == "bmn_opentad":
        last = "roi_head.proposal_head.head.2"
        tensors |= {f"{last}.{kind}": tensors[f"{last}.{kind}"].flip(0) for kind in ("weight", "bias")}
        tensors |= {name: tensor.squeeze(-1) for name, tensor in tensors.items() if tensor.dim() == 5}
    else:
        tensors["module.sample_mask"] = torch.rand(10, 400)
    torch.save({"epoch": 9, "state_dict": tensors}, tmp_path / "BMN_best.pth.tar")
    assert take(again, read_tensors(tmp_path / "BMN_best.pth.tar"), bmn.RELEASE).whole
    with torch.no_grad():
        features = torch.rand((2, 10, 8))
        for one, other in zip(network(features), again(features), strict=True):
            assert torch.equal(one, other)


@pytest.mark.slow
def test_a_whole_release_fills_the_full_network(tmp_path: Path):
    """ActionFormer for THUMOS-14 at its size: 29 million numbers through a file."""
    released = random(names("actionformer"))
    torch.save({"state_dict_ema": released}, tmp_path / "full.pth.tar")
    network = ActionFormer(THUMOS)
    assert take(network, read_tensors(tmp_path / "full.pth.tar"), actionformer.RELEASE).whole
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor.flatten(), released[f"module.{name}"].flatten())
