"""Convolutions over few pictures have the outputs and the gradients of double precision."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from methods.networks.slowfast import ClipConvolution


def gradient(layer: nn.Module, clip: Tensor, back: Tensor, half: bool) -> Tensor:
    """The weights', with large numbers in the memory that is free."""
    large = [torch.full((size,), 3e38) for size in (10, 1000, 5000, 20_000, 100_000, 300_000, 1_000_000)]
    large += [torch.full((size,), 3e38, dtype=torch.bfloat16) for size in (1000, 20_000, 70_000, 150_000)]
    del large
    layer.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        out = layer(clip)
    out.backward(back.to(out.dtype))
    found: Tensor = next(layer.parameters()).grad
    return found


@pytest.mark.parametrize("pictures", range(1, 9))
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (5, 1), (7, 1), (7, 2), (7, 4)])
def test_gradients_are_those_of_the_clip(kernel: int, stride: int, pictures: int) -> None:
    torch.manual_seed(0)
    layer = ClipConvolution(32, 16, (kernel, 1, 1), (stride, 1, 1), (kernel // 2, 0, 0), bias=False)
    plain = nn.Conv3d(32, 16, (kernel, 1, 1), (stride, 1, 1), (kernel // 2, 0, 0), bias=False).double()
    plain.load_state_dict(layer.state_dict())
    clip = torch.randn(2, 32, pictures, 8, 8)
    out, wanted = layer(clip), plain(clip.double())
    torch.testing.assert_close(out.double(), wanted, rtol=1e-5, atol=1e-5)
    back = torch.randn_like(out)
    wanted.backward(back.double())
    for half, bound in ((False, 1e-5), (True, 0.01)):
        for _ in range(3):
            apart = gradient(layer, clip, back, half) - plain.weight.grad
            assert float(apart.norm() / plain.weight.grad.norm()) < bound


@pytest.mark.parametrize("pictures", [1, 2, 5, 6])
def test_a_stem_keeps_its_steps_and_its_padding_in_space(pictures: int) -> None:
    torch.manual_seed(0)
    layer = ClipConvolution(3, 8, (5, 7, 7), (1, 2, 2), (2, 3, 3))
    clip = torch.randn(2, 3, pictures, 16, 20)
    torch.testing.assert_close(layer(clip), nn.Conv3d.forward(layer, clip), rtol=1e-5, atol=1e-5)
