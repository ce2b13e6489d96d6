"""Convolutions over time against torch's own, forward and backward: by pairs and by its kernels."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.networks import convolutions, products
from methods.networks.convolutions import TimeConvolution, convolve
from tests.methods.test_products import gradients


def plain(features: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1, groups: int = 1) -> Tensor:
    """The convolution by torch, on (B, T, C)."""
    half = weight.shape[2] // 2
    return F.conv1d(features.transpose(1, 2), weight, bias, stride, half, groups=groups).transpose(1, 2)


@pytest.mark.parametrize(("width", "stride", "groups"), [(3, 1, 1), (1, 1, 1), (5, 1, 1), (3, 2, 1), (3, 2, 4)])
def test_a_convolution_over_time_is_torchs(width: int, stride: int, groups: int) -> None:
    torch.manual_seed(0)
    features = torch.randn(3, 17, 8, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 8 // groups, width, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)
    inputs = (features, weight, bias)
    ours = convolve(*inputs, stride)
    theirs = plain(*inputs, stride, groups)
    torch.testing.assert_close(ours, theirs)
    for a, b in zip(gradients(ours, *inputs), gradients(theirs, *inputs), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize(
    ("batch", "length", "inputs", "outputs"), [(4, 150, 160, 130), (3, 301, 128, 200), (1, 513, 1024, 128)]
)
def test_three_taps_by_pairs_are_as_near_to_the_truth_as_torchs(
    batch: int, length: int, inputs: int, outputs: int, biased: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both against double precision: outputs and all gradients, odd lengths too, may be wrong by rounding alone."""
    torch.manual_seed(0)
    taken, apply = [], convolutions._ByPairs.apply
    monkeypatch.setattr(convolutions._ByPairs, "apply", lambda *given: taken.append(given) or apply(*given))
    features, weight = torch.randn(batch, length, inputs), torch.randn(outputs, inputs, 3) / 32
    given = [features, weight, *([torch.randn(outputs)] if biased else [])]
    found = {}
    for name, route, dtype in (
        ("ours", convolve, torch.float32),
        ("torch", plain, torch.float32),
        ("true", plain, torch.float64),
    ):
        own = [one.to(dtype).requires_grad_() for one in given]
        out = route(*own)
        found[name] = [out, *gradients(out, *own)]
    assert bool(taken) == products._available()
    for true, ours, theirs in zip(found["true"], found["ours"], found["torch"], strict=True):
        wrong, theirs_wrong = ((one - true).abs().max() / true.abs().max() for one in (ours, theirs))
        assert wrong < max(2 * theirs_wrong, 1e-6)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 7])
def test_pairs_of_short_sequences_are_exact(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolutions, "multiplied", F.linear)
    features = torch.randn(3, length, 5, dtype=torch.float64, requires_grad=True)
    weight, bias = torch.randn(4, 5, 3, dtype=torch.float64, requires_grad=True), torch.randn(4, dtype=torch.float64)
    inputs = (features, weight, bias.requires_grad_())
    ours, theirs = convolutions._ByPairs.apply(*inputs), plain(*inputs)
    torch.testing.assert_close(ours, theirs)
    for a, b in zip(gradients(ours, *inputs), gradients(theirs, *inputs), strict=True):
        torch.testing.assert_close(a, b)


def test_small_convolutions_and_other_types_stay_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolutions._ByPairs, "apply", lambda *_: pytest.fail("taken"))
    convolve(torch.randn(2, 255, 160), torch.randn(130, 160, 3))
    convolve(torch.randn(2, 300, 160), torch.randn(130, 160, 5))
    convolve(torch.randn(2, 300, 160), torch.randn(130, 160, 3), stride=2)
    convolve(torch.randn(2, 300, 160), torch.randn(130, 80, 3))
    convolve(torch.randn(2, 300, 160), torch.randn(63, 160, 3))
    convolve(torch.randn(2, 300, 160).double(), torch.randn(130, 160, 3).double())


@pytest.mark.parametrize(("taps", "bias"), [(1, True), (3, True), (3, False), (5, True)])
def test_a_layer_on_rows_is_conv1d_on_their_transpose(taps: int, bias: bool) -> None:
    torch.manual_seed(0)
    theirs = nn.Conv1d(6, 4, taps, padding=taps // 2, bias=bias)
    torch.manual_seed(0)
    ours = TimeConvolution(6, 4, taps, bias=bias)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert all(tensor.equal(theirs.state_dict()[name]) for name, tensor in ours.state_dict().items())
    rows = torch.randn(3, 9, 2, 6)[:, :, 1]  # one modality of two: rows with gaps
    torch.testing.assert_close(ours(rows), theirs(rows.transpose(1, 2)).transpose(1, 2))


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_convolution_may_be_wider_than_the_sequence(length: int) -> None:
    features, weight = torch.randn(2, length, 4, dtype=torch.float64), torch.randn(3, 4, 5, dtype=torch.float64)
    inputs = (features.requires_grad_(), weight.requires_grad_())
    ours, theirs = convolve(*inputs), plain(features, weight)
    torch.testing.assert_close(ours, theirs)
    for a, b in zip(gradients(ours, *inputs), gradients(theirs, *inputs), strict=True):
        torch.testing.assert_close(a, b)


def test_only_what_is_asked_for_gets_a_gradient() -> None:
    features, weight = torch.randn(2, 9, 4), torch.randn(3, 4, 3, requires_grad=True)
    convolve(features, weight).sum().backward()
    assert features.grad is None and weight.grad is not None
