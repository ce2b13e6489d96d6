"""ActionFormer's layers as one would first write them, for timing beside ours: the same numbers, more copies.

Convolutions run on (B, C, T), so every layer norm and matrix product is fed by a transposed copy; local attention
multiplies each query block with its own, the block before and the block behind, and masks what lies outside the band.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.networks.actionformer import layers, model


def plain_convolve(features: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1) -> Tensor:
    """(B, T, C_in) -> (B, ceil(T / stride), C_out) through a one-dimensional convolution."""
    groups = features.shape[2] // weight.shape[1]
    moved = features.transpose(1, 2).contiguous()
    out = F.conv1d(moved, weight, bias, stride, weight.shape[2] // 2, groups=groups)
    return out.transpose(1, 2).contiguous()


def plain_banded_attention(query: Tensor, key: Tensor, value: Tensor, valid: Tensor, reach: int) -> Tensor:
    """(B, T, H, d) -> the same; softmax over three blocks of keys."""
    length = query.shape[1]
    behind = reach + -length % reach
    q = F.pad(query, (0, 0, 0, 0, 0, behind - reach)).unflatten(1, (-1, reach))
    k, v = (F.pad(x, (0, 0, 0, 0, reach, behind)).unfold(1, 3 * reach, reach) for x in (key, value))  # (B, n, H, d, 3r)
    usable = F.pad(valid, (reach, behind)).unfold(1, 3 * reach, reach)
    steps = torch.arange(3 * reach) - reach - torch.arange(reach)[:, None]
    allowed = ((steps.abs() <= reach) & usable[:, :, None]) | (steps == 0)
    scores = torch.einsum("bnqhd,bnhdk->bnhqk", q, k) * query.shape[3] ** -0.5
    share = scores.masked_fill(~allowed[:, :, None], -torch.inf).softmax(-1)
    return torch.einsum("bnhqk,bnhdk->bnqhd", share, v).flatten(1, 2)[:, :length]


@contextmanager
def plain_order() -> Iterator[None]:
    """Networks that run inside take the plain layers."""
    kept = layers.convolve, layers.banded_attention
    layers.convolve = model.convolve = plain_convolve
    layers.banded_attention = plain_banded_attention
    try:
        yield
    finally:
        layers.convolve, layers.banded_attention = kept
        model.convolve = layers.convolve
