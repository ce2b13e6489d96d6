"""Mean teacher for proposals in the manner of SSP: the student sees warped and masked time, the teacher does not.

Source: Ji, Cao and Niebles, "Learning Temporal Action Proposals with Fewer Labels", ICCV 2019. Without released code:
the teacher's curves and map are carried along the student's warp before they are compared, masked cells included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.networks.bmn.model import BoundaryMap
from methods.networks.bmn.sampling import Layout
from methods.semi_localization.parts.proposal_network import ProposalNetwork, boundary_network
from methods.semi_localization.parts.teacher_student import TeacherStudent, disagreement, taught
from suite.method import Batch, Losses, Run, Value, hyper


def time_warp(length: int, most: float, generator: np.random.Generator) -> np.ndarray:
    """(T,) source position of each cell: a random pivot moves by up to ``most`` of the length, the ends stay."""
    pivot = generator.uniform(0.25, 0.75) * (length - 1)
    moved = pivot + generator.uniform(-most, most) * (length - 1)
    return np.interp(np.arange(length), [0.0, moved, length - 1.0], [0.0, pivot, length - 1.0])


def time_mask(length: int, most: float, generator: np.random.Generator) -> np.ndarray:
    """(T,) 1 where a cell stays, 0 in one random stretch of up to ``most`` of the length."""
    width = int(generator.integers(0, int(most * length) + 1))
    start = int(generator.integers(0, length - width + 1))
    kept = np.ones(length)
    kept[start : start + width] = 0.0
    return kept


def resample(sequence: Tensor, positions: Tensor) -> Tensor:
    """Linear interpolation of (B, T, D) at (B, T) positions."""
    low = positions.floor().long().clamp(0, sequence.shape[1] - 2)
    share = (positions - low).unsqueeze(2).to(sequence.dtype)
    rows = torch.arange(len(sequence), device=sequence.device)[:, None]
    return (1 - share) * sequence[rows, low] + share * sequence[rows, low + 1]


def by_ends(maps: Tensor) -> Tensor:
    """(B, D, T) maps over (duration, start) as (B, T, T) over (start, end); zero where there is no cell."""
    rows, length = maps.shape[1:]
    cell = torch.arange(length, device=maps.device)
    duration = cell[None, :] - cell[:, None]
    found = maps[:, duration.clamp(0, rows - 1), cell[:, None]]
    return found * ((duration >= 0) & (duration < rows))


def by_duration(maps: Tensor, rows: int) -> Tensor:
    """(B, T, T) maps over (start, end) as (B, D, T) over (duration, start); zero where there is no cell."""
    start = torch.arange(maps.shape[1], device=maps.device)[None, :]
    end = start + torch.arange(rows, device=maps.device)[:, None]
    return maps[:, start, end.clamp(max=maps.shape[1] - 1)] * (end < maps.shape[1])


def warp_map(maps: Tensor, valid: Tensor, positions: Tensor, layout: Layout) -> Tensor:
    """Carry (B, rows, T) maps along the warp: a cell takes the value of the proposal that its ends come from.

    Bilinear over start and end; ``valid`` (rows, T) cells only take part, the others stay zero.
    """
    # The share of valid cells is warped along, and divides in the end: cells outside of the map then have no weight
    # instead of pulling its border towards zero.
    known = valid.to(maps.dtype).expand_as(maps)
    both = torch.stack([maps * known, known], dim=1).flatten(0, 1)
    # A warp moves starts and ends; over (duration, start) that is no shift along the axes.
    square = both if layout == "start-end" else by_ends(both)
    size = square.shape[2]
    unit = (2 * positions / (size - 1) - 1).to(maps.dtype)
    grid = torch.stack([unit[:, None, :].expand(-1, size, -1), unit[:, :, None].expand(-1, -1, size)], dim=3)
    warped = F.grid_sample(square.unflatten(0, (-1, 2)), grid, align_corners=True, padding_mode="border").flatten(0, 1)
    back = warped if layout == "start-end" else by_duration(warped, maps.shape[1])
    value, share = back.unflatten(0, (-1, 2)).unbind(1)
    return value / share.clamp(min=1e-6) * known


class MeanTeacher(TeacherStudent):
    """BMN whose student must predict under warped and masked time what its running average predicts without."""

    name = "mean-teacher"
    title = "Mean teacher, SSP-style (BMN)"
    paper = "Ji et al., Learning Temporal Action Proposals with Fewer Labels, ICCV 2019"
    aliases = ("ssp",)
    # no code is released and the recipe is not known to us: BMN's, with a teacher of constant decay
    presets: ClassVar[Mapping[str, Mapping[str, Value]]] = {
        **ProposalNetwork.presets,
        "published": {**ProposalNetwork.presets["published"], "ema": "published"},
        "published-activitynet": {**ProposalNetwork.presets["published-activitynet"], "ema": "published"},
    }

    consistency: float = hyper(1.0, low=0.0, high=1000.0, help="largest weight of consistency (paper: not known)")
    warp: float = hyper(0.1, low=0.0, high=0.24, help="largest move of the pivot, share of the window")
    mask: float = hyper(0.1, low=0.0, high=0.9, help="longest masked stretch, share of the window")

    def perturbations(
        self, sizes: Sequence[int], channels: int, generator: np.random.Generator
    ) -> Mapping[str, Tensor]:
        count = sum(sizes)
        warps = [time_warp(self.detector.length, self.warp, generator) for _ in range(count)]
        masks = [time_mask(self.detector.length, self.mask, generator) for _ in range(count)]
        return {"warp": torch.from_numpy(np.stack(warps)), "mask": torch.from_numpy(np.stack(masks)).float()}

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        parts = super().loss(network, batch, run)
        features = self.everything(batch)
        warp, mask = self.everything(batch, "warp"), self.everything(batch, "mask")
        student = network(resample(features, warp) * mask[:, :, None])[0]
        valid = boundary_network(network).valid
        teacher = self._warped(taught(run.teacher, network, features), valid, warp, run)
        return {**parts, "consistency": self.weight(run) * disagreement(student, teacher).mean()}

    def _warped(self, found: BoundaryMap, valid: Tensor, positions: Tensor, run: Run) -> BoundaryMap:
        layout = self.detector.config(run.data).layout
        curves = resample(torch.stack([found.start, found.end], dim=2), positions)
        maps = [warp_map(m, valid, positions, layout) for m in (found.regression, found.classification)]
        return BoundaryMap(curves[:, :, 0], curves[:, :, 1], *maps)
