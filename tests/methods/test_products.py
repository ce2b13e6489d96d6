"""Linear maps by the faster route against torch's own, forward and backward."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.networks import products
from methods.networks.products import Linear, linear


def gradients(out: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
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
    for a, b in zip(gradients(ours, *inputs), gradients(theirs, *inputs), strict=True):
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
