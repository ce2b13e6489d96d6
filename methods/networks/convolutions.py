"""Convolutions over time of rows (B, T, C): large ones of three taps with two thirds of the multiplications.

The others run as two-dimensional ones of height one whose channels come last, as rows have them. ``nn.Conv1d`` on rows
that are transposed for it takes up to three times as long with three taps, and more than ten with one and one output.

Two neighbouring outputs of three taps take four products of inputs and taps instead of six: the minimal filtering
F(2, 3) of Winograd, as Lavin and Gray (2016, §3) apply it to convolutions. The products are those of matrices, for all
pairs of a batch at once. Rounding is as with six: weights are halved, nothing is divided.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.networks.products import multiplied, takes

TAPS = 3
# Channels on either side from which on pairs are taken. With fewer, sums of inputs cost more than the products they
# spare: a third to two thirds more in all from 512 channels to 20.
LEAST = 64


def convolve(features: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1) -> Tensor:
    """Zero-padded convolution over time: (B, T, C_in) and (C_out, C_in / groups, k) give (B, ceil(T / stride), C_out).

    ``k`` is odd.
    """
    groups = features.shape[2] // weight.shape[1]
    if groups == stride == 1 and weight.shape[2] == TAPS and takes(features, weight[:, :, 0], LEAST):
        out: Tensor = _ByPairs.apply(features, weight, bias)
        return out
    half = weight.shape[2] // 2
    image = F.conv2d(_image(features), weight.unsqueeze(2), bias, (1, stride), (0, half), groups=groups)
    return image.permute(0, 2, 3, 1).squeeze(1)


class TimeConvolution(nn.Conv1d):
    """A convolution over time that takes and returns rows; its parameters and their start are ``nn.Conv1d``'s.

    In stacks of networks it is computed member by member (``product``).
    """

    product = staticmethod(convolve)

    def __init__(self, inputs: int, outputs: int, taps: int = 1, bias: bool = True) -> None:
        super().__init__(inputs, outputs, taps, padding=taps // 2, bias=bias)

    def forward(self, rows: Tensor) -> Tensor:
        """(B, T, in_channels) -> (B, T, out_channels)."""
        return convolve(rows, self.weight, self.bias)


def _image(features: Tensor) -> Tensor:
    """(B, T, C) as an image of height one (B, C, 1, T)."""
    return features.unsqueeze(1).permute(0, 3, 1, 2)


class _ByPairs(torch.autograd.Function):
    """Three taps w, stride 1: outputs of times 2i and 2i + 1 from inputs x of times 2i - 1 to 2i + 2.

    With a = x[2i - 1], b = x[2i], c = x[2i + 1], d = x[2i + 2] the four products are (a - c) w0, (b + c) (w0 + w1 +
    w2) / 2, (c - b) (w0 - w1 + w2) / 2 and (b - d) w2. The first output is the first plus the second plus the third,
    the other one the second less the third less the fourth. Gradients are those of the same four products.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(features, weight)
        biases = (None, bias, None, None)  # the second product is in both outputs
        sides = zip(_combined(_even(features)), _mixed(weight), biases, strict=True)
        first, second, third, fourth = (multiplied(rows, taps, add) for rows, taps, add in sides)
        out = features.new_empty(len(first), 2, len(weight))
        torch.add(first.add_(second), third, out=out[:, 0])
        torch.sub(second.sub_(third), fourth, out=out[:, 1])
        return out.view(len(features), -1, len(weight))[:, : features.shape[1]]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, out: Tensor) -> tuple[Tensor | None, ...]:
        features, weight = ctx.saved_tensors
        of_features, of_weight, of_bias = ctx.needs_input_grad
        pairs = _even(out).contiguous().view(-1, 2, out.shape[2])
        first, second = pairs.unbind(1)
        sums = (first, first + second, first - second, second)  # of the four products, the last with its sign turned
        return (
            _of_features(sums, weight, features.shape) if of_features else None,
            _of_weight(sums, _combined(_even(features))) if of_weight else None,
            out.sum((0, 1)) if of_bias else None,
        )


def _even(rows: Tensor) -> Tensor:
    """(B, T, C) with a time of zeros more where T is odd."""
    return F.pad(rows, (0, 0, 0, 1)) if rows.shape[1] % 2 else rows


def _combined(features: Tensor) -> Iterator[Tensor]:
    """a - c, b + c, c - b and b - d of each pair of times: (B, T, C) gives (B * T / 2, C) each, made when asked for."""
    even, odd = features[:, 0::2], features[:, 1::2]
    yield _falls(odd, zeros_first=True).flatten(0, 1)
    yield (even + odd).flatten(0, 1)
    yield (odd - even).flatten(0, 1)
    yield _falls(even, zeros_first=False).flatten(0, 1)


def _falls(rows: Tensor, *, zeros_first: bool) -> Tensor:
    """Each time less the next one, (B, T, C), with a time of zeros before the first or after the last."""
    found = rows.new_empty(rows.shape)
    torch.sub(rows[:, :-1], rows[:, 1:], out=found[:, 1:] if zeros_first else found[:, :-1])
    if zeros_first:
        torch.neg(rows[:, :1], out=found[:, :1])
    else:
        found[:, -1:] = rows[:, -1:]
    return found


def _mixed(weight: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """w0, (w0 + w1 + w2) / 2, (w0 - w1 + w2) / 2 and w2 of (C_out, C_in, 3), each (C_out, C_in)."""
    first, middle, last = weight.unbind(2)
    outer = first + last
    return first.contiguous(), (outer + middle) / 2, (outer - middle) / 2, last.contiguous()


def _of_features(sums: tuple[Tensor, ...], weight: Tensor, shape: torch.Size) -> Tensor:
    """The gradient of the inputs (B, T, C_in)."""
    taps = _mixed(weight)

    def product(place: int) -> Tensor:
        return (sums[place] @ taps[place]).view(shape[0], -1, shape[2])

    both, apart = product(1), product(2)
    found = both.new_empty(shape[0], 2 * both.shape[1], shape[2])
    even, odd = found[:, 0::2], found[:, 1::2]
    torch.sub(both, apart, out=even)
    torch.add(both, apart, out=odd)
    del both, apart  # whose memory serves the others
    before, after = product(0), product(3)
    odd -= before
    odd[:, :-1] += before[:, 1:]
    even -= after
    even[:, 1:] += after[:, :-1]
    return found[:, : shape[1]]


def _of_weight(sums: tuple[Tensor, ...], inputs: Iterator[Tensor]) -> Tensor:
    """The gradient of the weights (C_out, C_in, 3)."""
    first, both, apart, last = (one.t() @ rows for one, rows in zip(sums, inputs, strict=True))
    outer = (both + apart) / 2
    return torch.stack([first + outer, (both - apart) / 2, outer - last], dim=2)
