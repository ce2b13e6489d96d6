"""ActionFormer: an anchor-free detector on a transformer pyramid (Zhang et al., ECCV 2022, §3).

All levels lie side by side in one sequence when they reach the shared heads, with one zero cell between neighbours,
so that one convolution serves the whole pyramid with the numbers of one convolution per level.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.networks.actionformer.config import ActionFormerConfig
from methods.networks.actionformer.layers import Block, MaskedConv
from methods.networks.convolutions import convolve


class Detections(NamedTuple):
    """Raw outputs at every point of the pyramid, levels one after another (P points in all)."""

    logits: Tensor  # (B, P, classes)
    offsets: Tensor  # (B, P, 2) distances to start and end, in strides of the level, never negative
    valid: Tensor  # (B, P) bool: the point lies on a real snippet
    points: Tensor  # (P, 4) position, lowest and highest distance answered for, stride; in grid cells


def pyramid_points(length: int, config: ActionFormerConfig, device: torch.device | None = None) -> Tensor:
    """Points of every level for a sequence of ``length`` cells: (P, 4) = position, range low, range high, stride."""
    levels = []
    for stride, (low, high) in zip(config.strides, config.regression_ranges, strict=True):
        position = torch.arange(0, length, stride, dtype=torch.float32, device=device)
        # Filled in on the device: numbers sent there one by one would make the host wait in every step.
        constants = [torch.full_like(position, value) for value in (low, high, stride)]
        levels.append(torch.stack([position, *constants], dim=1))
    return torch.cat(levels)


def sinusoid_table(length: int, channels: int) -> Tensor:
    """Sines and cosines of Vaswani et al. (2017), divided by ``sqrt(channels)``: (length, channels) float32."""
    # Double precision until the end, as in the released code: sines of positions in the thousands lose digits
    # otherwise.
    position = torch.arange(length, dtype=torch.float64)[:, None]
    channel = torch.arange(channels, dtype=torch.float64)
    angle = position / 10000 ** (2 * (channel // 2) / channels)
    table = torch.where(channel % 2 == 0, angle.sin(), angle.cos())
    return table.float() / math.sqrt(channels)


class Backbone(nn.Module):
    """Embedding convolutions, stem blocks at full length and one halving block per further level."""

    position_table: Tensor

    def __init__(self, config: ActionFormerConfig) -> None:
        super().__init__()
        self.config = config
        width = config.embedding
        inputs = [config.input_dim] + [width] * (config.embedding_convs - 1)
        self.embd = nn.ModuleList(MaskedConv(channels, width, bias=False) for channels in inputs)
        self.embd_norm = nn.ModuleList(nn.LayerNorm(width) for _ in inputs)
        self.stem = nn.ModuleList(
            Block(width, config.heads, config.windows[0], 1, config.drop_path) for _ in range(config.stem_blocks)
        )
        self.branch = nn.ModuleList(
            Block(width, config.heads, window, 2, config.drop_path) for window in config.windows[1:]
        )
        table = sinusoid_table(config.max_length, width) if config.position_encoding else torch.zeros(0)
        self.register_buffer("position_table", table, persistent=False)

    def _positions(self, length: int, padded: int) -> Tensor:
        """The table for a sequence that the reference pads to ``padded``: stretched where that is beyond training."""
        table = self.position_table
        # By the padded length, although fewer cells are computed: the reference stretches its table to what it pads to.
        if not self.training and padded >= self.config.max_length:
            table = F.interpolate(table.T[None], padded, mode="linear", align_corners=False)[0].T
        return table[:length]

    def forward(self, features: Tensor, mask: Tensor, padded: int) -> tuple[list[Tensor], list[Tensor]]:
        """(B, T, D) and (B, T, 1) -> per level (B, T_l, C) and (B, T_l, 1)."""
        for conv, norm in zip(self.embd, self.embd_norm, strict=True):
            features = F.relu(norm(conv(features, mask)), inplace=True)
        if self.config.position_encoding:
            features = features + self._positions(features.shape[1], padded) * mask
        for block in self.stem:
            features, mask = block(features, mask)
        levels, masks = [features], [mask]
        for block in self.branch:
            features, mask = block(features, mask)
            levels.append(features)
            masks.append(mask)
        return levels, masks


class Neck(nn.Module):
    """One norm per level: the "identity" pyramid."""

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        self.fpn_norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(levels))

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """Normalize each (B, T_l, C)."""
        return [norm(level) for norm, level in zip(self.fpn_norms, levels, strict=True)]


def side_by_side(levels: list[Tensor], gaps: list[int]) -> Tensor:
    """Join (B, T_l, C) along time with so many zero cells after each, none or one."""
    zero = levels[0].new_zeros(len(levels[0]), 1, levels[0].shape[2])
    spaced = [part for level, gap in zip(levels, gaps, strict=True) for part in [level, zero][: 1 + gap]]
    return torch.cat(spaced, dim=1)


def gaps_after(sizes: list[int]) -> list[int]:
    """Zero cells after each level: one between neighbours, and one at the end where that makes all cells even.

    Convolutions take cells by twos (:mod:`methods.networks.convolutions`).
    """
    return [1] * (len(sizes) - 1) + [(sum(sizes) + len(sizes) - 1) % 2]


class Tower(nn.Module):
    """Hidden convolutions of a head, shared by all levels."""

    def __init__(self, channels: int, layers: int) -> None:
        super().__init__()
        self.head = nn.ModuleList(MaskedConv(channels, channels, bias=False) for _ in range(layers - 1))
        self.norm = nn.ModuleList(nn.LayerNorm(channels) for _ in range(layers - 1))

    def tower(self, pyramid: Tensor, mask: Tensor, inside: Tensor) -> Tensor:
        """(B, S, C) -> (B, S, C); ``inside`` (S, 1) keeps the cells between levels at zero."""
        for conv, norm in zip(self.head, self.norm, strict=True):
            pyramid = F.relu(norm(conv(pyramid, mask)), inplace=True) * inside
        return pyramid


class ClassificationHead(Tower):
    """Class logits of every point."""

    def __init__(self, config: ActionFormerConfig) -> None:
        super().__init__(config.embedding, config.head_layers)
        self.cls_head = MaskedConv(config.embedding, config.classes)

    def forward(self, pyramid: Tensor, mask: Tensor, inside: Tensor) -> Tensor:
        """(B, S, C) -> (B, S, classes)."""
        return self.cls_head(self.tower(pyramid, mask, inside), mask)


class LevelScale(nn.Module):
    """A learned factor on the distances of one level."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))


class RegressionHead(Tower):
    """Distances from every point to the start and the end of its action, in strides of the level."""

    def __init__(self, config: ActionFormerConfig) -> None:
        super().__init__(config.embedding, config.head_layers)
        self.offset_head = MaskedConv(config.embedding, 2)
        self.scale = nn.ModuleList(LevelScale() for _ in range(config.levels))

    def forward(self, pyramid: Tensor, mask: Tensor, inside: Tensor, level_of_cell: Tensor) -> Tensor:
        """(B, S, C) -> (B, S, 2)."""
        raw = convolve(self.tower(pyramid, mask, inside), self.offset_head.conv.weight, self.offset_head.conv.bias)
        scales = torch.stack([level.get_parameter("scale") for level in self.scale])
        return F.relu(raw * mask * scales[level_of_cell][:, None])


class ActionFormer(nn.Module):
    """Features of B videos -> class logits and boundary distances at every point of the pyramid."""

    def __init__(self, config: ActionFormerConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.neck = Neck(config.embedding, config.levels)
        self.cls_head = ClassificationHead(config)
        self.reg_head = RegressionHead(config)
        self._initialize()

    def _initialize(self) -> None:
        """Biases start at zero, the classifier at the prior probability of an action."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv1d) and module.bias is not None:
                nn.init.zeros_(module.bias)
        bias = self.cls_head.cls_head.conv.bias
        assert bias is not None
        nn.init.constant_(bias, -math.log((1 - self.config.prior) / self.config.prior))

    def pyramid(self, features: Tensor, mask: Tensor, padded: int) -> tuple[list[Tensor], list[Tensor]]:
        """Backbone and neck: per level (B, T_l, C) and masks (B, T_l, 1)."""
        levels, masks = self.backbone(features, mask, padded)
        return self.neck(levels), masks

    def forward(self, features: Tensor, lengths: Tensor) -> Detections:
        """(B, T, D) zero-padded features of ``lengths`` (B,) real snippets, at most T, -> detections at every point.

        Only the cells that can matter are computed (``ActionFormerConfig.computed_length``), and on a CPU videos of
        unequal lengths one by one; the numbers are those of the reference's full padding. No video is too long.
        """
        longest = features.shape[1]
        padded = self.config.padded_length(longest)
        # A GPU computes a padded batch faster than many short sequences; a CPU pays for every padded cell.
        if features.device.type != "cpu" or not self._uneven(lengths, longest):
            return self._run(features, lengths, padded, self.config.computed_length(longest))
        parts = [
            self._run(video[None, :length], length[None], padded, self.config.computed_length(int(length)))
            for video, length in zip(features, lengths, strict=True)
        ]
        return self._joined(parts, self.config.computed_length(longest))

    def _uneven(self, lengths: Tensor, longest: int) -> bool:
        """Whether padding to the longest costs an eighth more than computing each video by itself."""
        each = sum(self.config.computed_length(length) for length in lengths.tolist())
        return len(lengths) > 1 and 8 * len(lengths) * self.config.computed_length(longest) > 9 * each

    def _joined(self, parts: list[Detections], computed: int) -> Detections:
        """Detections of single videos as one batch over ``computed`` cells; what was not computed is zero."""
        points = pyramid_points(computed, self.config, parts[0].points.device)
        wanted = [computed // stride for stride in self.config.strides]
        shape = (len(parts), len(points))
        logits = parts[0].logits.new_zeros(*shape, self.config.classes)
        offsets, valid = parts[0].offsets.new_zeros(*shape, 2), parts[0].valid.new_zeros(shape)
        for row, part in enumerate(parts):
            sizes = [int((part.points[:, 3] == stride).sum()) for stride in self.config.strides]
            kept = torch.cat([torch.arange(n) < size for n, size in zip(wanted, sizes, strict=True)])
            logits[row, kept], offsets[row, kept], valid[row, kept] = part.logits[0], part.offsets[0], part.valid[0]
        return Detections(logits, offsets, valid, points)

    def _run(self, features: Tensor, lengths: Tensor, padded: int, computed: int) -> Detections:
        """Detections of a batch computed over ``computed`` cells."""
        if features.shape[1] != computed:
            features = F.pad(features, (0, 0, 0, computed - features.shape[1]))
        valid = torch.arange(computed, device=features.device) < lengths[:, None]
        mask = valid[:, :, None].to(features.dtype)
        levels, masks = self.pyramid(features, mask, padded)
        return self._detect(levels, masks, pyramid_points(computed, self.config, features.device))

    def _detect(self, levels: list[Tensor], masks: list[Tensor], points: Tensor) -> Detections:
        sizes, device = [level.shape[1] for level in levels], points.device
        starts = [sum(sizes[:level]) + level for level in range(len(sizes))]
        gaps = gaps_after(sizes)
        cells = [size + gap for size, gap in zip(sizes, gaps, strict=True)]
        level_of_cell = torch.cat([torch.full((count,), level, device=device) for level, count in enumerate(cells)])
        # The zero cells serve their purpose in the heads and are no points.
        kept = torch.cat(
            [torch.arange(first, first + n, device=device) for first, n in zip(starts, sizes, strict=True)]
        )
        pyramid, mask = side_by_side(levels, gaps), side_by_side(masks, gaps)
        inside = torch.zeros_like(level_of_cell, dtype=pyramid.dtype).index_fill_(0, kept, 1.0)[:, None]
        logits = self.cls_head(pyramid, mask, inside)
        offsets = self.reg_head(pyramid, mask, inside, level_of_cell)
        return Detections(logits[:, kept], offsets[:, kept], mask[:, kept, 0] > 0, points)
