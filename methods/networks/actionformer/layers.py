"""The layers of ActionFormer, on sequences stored as (batch, time, channels).

Two habits of the reference decide its numbers and are kept: convolutions are masked BEFORE the layer norm that
follows, so a padded cell carries the norm's bias to its neighbours; and padded cells of a block's output are zero.
Parameters have the names of the published checkpoints.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.networks.actionformer.attention import banded_attention, global_attention
from methods.networks.actionformer.config import GLOBAL_WINDOW
from methods.networks.convolutions import convolve
from methods.networks.products import Linear


class MaskedConv(nn.Module):
    """A convolution over time whose padded cells are set to zero."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, groups: int = 1, bias: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, 3, stride=stride, padding=1, groups=groups, bias=bias)
        self.stride = stride

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """(B, T, C_in) with the OUTPUT's mask (B, T', 1) -> (B, T', C_out)."""
        return convolve(features, self.conv.weight, self.conv.bias, self.stride) * mask


class ScaledDropPath(nn.Module):
    """Stochastic depth after a learned scale per channel, which starts near zero."""

    def __init__(self, channels: int, drop: float, initial: float = 1e-4) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), initial))
        self.drop = drop

    def forward(self, features: Tensor) -> Tensor:
        """Scale (B, T, C); while training, drop whole samples with probability ``drop``."""
        scaled = features * self.scale
        if not self.training or self.drop == 0:
            return scaled
        keep = torch.rand(len(features), 1, 1, dtype=features.dtype, device=features.device) >= self.drop
        return scaled * keep / (1 - self.drop)


class Attention(nn.Module):
    """Multi-head attention whose queries, keys and values first pass a depthwise convolution of width three."""

    def __init__(self, channels: int, heads: int, window: int, stride: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        for role in ("query", "key", "value"):
            conv = MaskedConv(channels, channels, stride=stride, groups=channels, bias=False)
            self.add_module(f"{role}_conv", conv)
            self.add_module(f"{role}_norm", nn.LayerNorm(channels))
            self.add_module(role, Linear(channels, channels))
        self.proj = Linear(channels, channels)

    def _project(self, role: str, features: Tensor, mask: Tensor) -> Tensor:
        """(B, T, C) -> (B, T', heads, C / heads) of one role."""
        conv, norm, linear = (self.get_submodule(role + part) for part in ("_conv", "_norm", ""))
        return linear(norm(conv(features, mask))).unflatten(2, (self.heads, -1))

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """(B, T, C) with the output's mask (B, T', 1) -> (B, T', C); padded cells are zero."""
        query, key, value = (self._project(role, features, mask) for role in ("query", "key", "value"))
        valid = mask.squeeze(2) > 0
        if self.window == GLOBAL_WINDOW:
            mixed = global_attention(query, key, value, valid)
        else:
            mixed = banded_attention(query, key, value, valid, self.window // 2)
        return self.proj(mixed.flatten(2)) * mask


class Block(nn.Module):
    """One pre-norm transformer block; with stride 2 it halves the sequence and max-pools the skip connection."""

    def __init__(self, channels: int, heads: int, window: int, stride: int, drop_path: float) -> None:
        super().__init__()
        self.stride = stride
        self.ln1, self.ln2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attn = Attention(channels, heads, window, stride)
        # the published names count the activation and the dropouts between the two layers
        self.mlp = nn.ModuleDict({"0": Linear(channels, 4 * channels), "3": Linear(4 * channels, channels)})
        self.drop_path_attn = ScaledDropPath(channels, drop_path)
        self.drop_path_mlp = ScaledDropPath(channels, drop_path)

    def _skip(self, features: Tensor) -> Tensor:
        if self.stride == 1:
            return features
        return F.max_pool1d(features.transpose(1, 2), 3, stride=self.stride, padding=1).transpose(1, 2)

    def forward(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, C) and its mask (B, T, 1) -> the same, ``stride`` times shorter."""
        # Every stride-th cell, as the released code's nearest-neighbour interpolation of the mask gives.
        mask = mask[:, :: self.stride]
        mixed = self.attn(self.ln1(features), mask)
        features = self._skip(features) * mask + self.drop_path_attn(mixed)
        hidden = F.gelu(self.mlp["0"](self.ln2(features)))
        return features + self.drop_path_mlp(self.mlp["3"](hidden) * mask), mask
