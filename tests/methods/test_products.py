"""Linear maps and convolutions by the faster route against torch's own, forward and backward."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.networks import products
from methods.networks.products import Linear, convolve, linear


def _gradients(out: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
    weight = torch.sin(torch.arange(out.numel(), dtype=out.dtype)).view_as(out)
    return torch.autograd.grad(out, inputs, weight)


@pytest.mark.parametrize("shape", [(600,), (3, 256), (40,)])
def test_a_linear_map_is_torchs(shape: tuple[int, ...]) -> None:
    """The last is too small for the route."""
    torch.manual_seed(0)
    values, layer = torch.randn(*shape, 160, requires_grad=True), Linear(160, 130)
    inputs = (values, layer.weight, layer.bias)
    ours, theirs = layer(values), F.linear(*inputs)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    for a, b in zip(_gradients(ours, *inputs), _gradients(theirs, *inputs), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_large_products_take_the_route_and_others_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr(products._Product, "apply", lambda *given: taken.append(given) or F.linear(*given))
    weight = torch.randn(130, 160)
    linear(torch.randn(511, 160), weight)
    linear(torch.randn(600, 160).double(), weight.double())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        linear(torch.randn(600, 160), weight)
    assert not taken
    linear(torch.randn(2, 256, 160), weight)
    assert len(taken) == 1


@pytest.mark.parametrize(("width", "stride", "groups"), [(3, 1, 1), (1, 1, 1), (5, 1, 1), (3, 2, 1), (3, 2, 4)])
def test_a_convolution_over_time_is_torchs(width: int, stride: int, groups: int) -> None:
    torch.manual_seed(0)
    features = torch.randn(3, 17, 8, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 8 // groups, width, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)
    inputs = (features, weight, bias)
    ours = convolve(*inputs, stride)
    theirs = F.conv1d(features.transpose(1, 2), weight, bias, stride, width // 2, groups=groups).transpose(1, 2)
    torch.testing.assert_close(ours, theirs)
    for a, b in zip(_gradients(ours, *inputs), _gradients(theirs, *inputs), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("width", [1, 3, 5])
def test_a_convolution_of_wide_inputs_is_torchs(width: int, biased: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    taken, by_taps = [], products._by_taps
    monkeypatch.setattr(products, "_by_taps", lambda *given: taken.append(given) or by_taps(*given))
    features, weight = torch.randn(4, 150, 1024, requires_grad=True), torch.randn(130, 1024, width, requires_grad=True)
    inputs = (features, weight, *([torch.randn(130, requires_grad=True)] if biased else []))
    ours = convolve(*inputs)
    assert bool(taken) == products._available()
    theirs = F.conv1d(features.transpose(1, 2), *inputs[1:], padding=width // 2).transpose(1, 2)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3)
    for a, b in zip(_gradients(ours, *inputs), _gradients(theirs, *inputs), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_convolution_may_be_wider_than_the_sequence(length: int) -> None:
    features, weight = torch.randn(2, length, 4, dtype=torch.float64), torch.randn(3, 4, 5, dtype=torch.float64)
    inputs = (features.requires_grad_(), weight.requires_grad_())
    ours, theirs = convolve(*inputs), F.conv1d(features.transpose(1, 2), weight, padding=2).transpose(1, 2)
    torch.testing.assert_close(ours, theirs)
    for a, b in zip(_gradients(ours, *inputs), _gradients(theirs, *inputs), strict=True):
        torch.testing.assert_close(a, b)


def test_only_what_is_asked_for_gets_a_gradient() -> None:
    features, weight = torch.randn(2, 9, 4), torch.randn(3, 4, 3, requires_grad=True)
    convolve(features, weight).sum().backward()
    assert features.grad is None and weight.grad is not None
