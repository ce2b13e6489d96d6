"""Weak and strong views of clips: flip, and RandAugment extended in time (Cubuk et al., 2020; MM 2022, §4.2.3).

Clips are (T, 3, H, W) in [0, 1]; boxes (A, 4) x1 y1 x2 y2 in [0, 1] of the key frame, T // 2. An operation's strength
is a vector over the frames: the same in every frame, or going from one value to another. Boxes keep order and number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Time = Literal["constant", "interpolated"]
Operation = Callable[[Tensor, Tensor], Tensor]
LEVELS = 256


@dataclass(frozen=True)
class RandAugment:
    """``operations`` of them per clip, each at a strength of ``magnitude`` out of 10, its sign random.

    ``time``: ``constant`` applies one strength to all frames, ``interpolated`` goes from one to another.
    ``geometric`` adds shear, translation and rotation, which move the boxes too; without it boxes do not change.
    """

    operations: int = 2
    magnitude: float = 9.0
    time: Time = "constant"
    geometric: bool = False

    def __call__(self, clip: Tensor, boxes: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        """The augmented clip and its boxes; all that is random comes from ``generator``."""
        names = [*PHOTOMETRIC, *(GEOMETRIC if self.geometric else ())]
        for name in generator.choice(names, size=self.operations).tolist():
            strength = _sent(self._strength(len(clip), generator), clip)
            if name in PHOTOMETRIC:
                clip = PHOTOMETRIC[name](clip, strength).clamp(0, 1)
            else:
                clip, boxes = moved(clip, boxes, GEOMETRIC[name](strength))
        return clip, boxes

    def _strength(self, frames: int, generator: np.random.Generator) -> Tensor:
        """(T,) in [-1, 1]."""
        ends = self.magnitude / 10 * generator.choice([-1.0, 1.0], size=2)
        first, last = (ends[0], ends[0]) if self.time == "constant" else (ends[0], ends[1] * generator.random())
        return torch.from_numpy(np.linspace(first, last, frames))


def flipped(clip: Tensor, boxes: Tensor, share: float = 1.0) -> tuple[Tensor, Tensor]:
    """The mirror image of the left ``share`` of the frame (the rest is padding); boxes in their order."""
    width = round(share * clip.shape[-1])
    mirrored = torch.stack([share - boxes[:, 2], boxes[:, 1], share - boxes[:, 0], boxes[:, 3]], dim=1)
    return torch.cat([clip[..., :width].flip(-1), clip[..., width:]], dim=-1), mirrored


def jittered(boxes: Tensor, amount: float, generator: np.random.Generator) -> Tensor:
    """Corners moved by up to ``amount`` of the box's size (ACAR: 0.075), cut to the frame; order and number stay."""
    draws = _sent(torch.from_numpy(generator.uniform(-amount, amount, size=tuple(boxes.shape))), boxes)
    size = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return (boxes + draws * size).clamp(0, 1)


def moved(clip: Tensor, boxes: Tensor, matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Frames resampled by affine maps (T, 2, 3) from output to input, in units of half the frame; outside is grey.

    Boxes become the bounding boxes of their corners under the key frame's map, cut to the frame.
    """
    grid = F.affine_grid(matrices.to(clip), list(clip.shape), align_corners=False)
    # grid_sample fills with zeros, which is grey once the middle of the range is at zero.
    frames = F.grid_sample(clip - 0.5, grid, align_corners=False) + 0.5
    matrix = matrices[len(clip) // 2].to(boxes)
    left, top, right, bottom = (2 * boxes - 1).unbind(1)
    corners = torch.stack([left, top, right, top, left, bottom, right, bottom], dim=1).unflatten(1, (4, 2))
    # The maps lead from output to input, as affine_grid takes them; boxes go the other way, by the inverse.
    offsets = (corners - matrix[:, 2]).unsqueeze(3)
    # Of solve_ex no error is asked, for which the host would wait: these matrices are never singular.
    corners = (torch.linalg.solve_ex(matrix[:, :2], offsets).result.squeeze(3) + 1) / 2
    return frames, torch.cat([corners.amin(dim=1), corners.amax(dim=1)], dim=1).clamp(0, 1)


def _sent(values: Tensor, like: Tensor) -> Tensor:
    """``values`` of the host with device and type of ``like``; the host does not wait."""
    return values.to(like.device, like.dtype, non_blocking=True)


# Photometric operations: clip (T, 3, H, W), strength (T,) in [-1, 1] ------------------------------------------------


def _blend(other: Tensor, clip: Tensor, strength: Tensor) -> Tensor:
    """Between ``other`` (strength -1) and the clip (0), and beyond it (1): the usual enhancement factor, 0.1 to 1.9."""
    return other + (1 + 0.9 * strength)[:, None, None, None] * (clip - other)


def _grey(clip: Tensor) -> Tensor:
    red, green, blue = clip.split(1, dim=1)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _brightness(clip: Tensor, strength: Tensor) -> Tensor:
    return _blend(torch.zeros_like(clip), clip, strength)


def _contrast(clip: Tensor, strength: Tensor) -> Tensor:
    return _blend(_grey(clip).mean(dim=(1, 2, 3), keepdim=True).expand_as(clip), clip, strength)


def _colour(clip: Tensor, strength: Tensor) -> Tensor:
    return _blend(_grey(clip).expand_as(clip), clip, strength)


def _sharpness(clip: Tensor, strength: Tensor) -> Tensor:
    kernel = clip.new_full((3, 3), 1 / 13)
    kernel[1, 1] = 5 / 13
    padded = F.pad(clip, (1, 1, 1, 1), mode="replicate")
    return _blend(F.conv2d(padded, kernel.expand(3, 1, 3, 3), groups=3), clip, strength)


def _posterize(clip: Tensor, strength: Tensor) -> Tensor:
    levels = 2 ** (8 - (4 * strength.abs()).round())[:, None, None, None]  # 8 down to 4 bits
    return (clip * (LEVELS - 1) * levels / LEVELS).floor() / (levels - 1).clamp(min=1)


def _solarize(clip: Tensor, strength: Tensor) -> Tensor:
    return torch.where(clip < (1 - strength.abs())[:, None, None, None], clip, 1 - clip)


def _autocontrast(clip: Tensor, strength: Tensor) -> Tensor:
    low, high = clip.amin(dim=(2, 3), keepdim=True), clip.amax(dim=(2, 3), keepdim=True)
    return torch.where(high > low, (clip - low) / (high - low).clamp(min=1 / LEVELS), clip)


def _equalize(clip: Tensor, strength: Tensor) -> Tensor:
    """Every channel of every frame with an even histogram."""
    levels = (clip * (LEVELS - 1)).round().long().clamp(0, LEVELS - 1).flatten(2)
    histogram = torch.zeros(*levels.shape[:2], LEVELS, device=clip.device).scatter_add_(
        2, levels, torch.ones_like(levels, dtype=torch.float32)
    )
    ranks = (histogram.cumsum(dim=2) - histogram / 2) / levels.shape[2]
    return ranks.gather(2, levels).view_as(clip).to(clip.dtype)


def _identity(clip: Tensor, strength: Tensor) -> Tensor:
    return clip


PHOTOMETRIC: dict[str, Operation] = {
    "identity": _identity,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
    "brightness": _brightness,
    "contrast": _contrast,
    "colour": _colour,
    "sharpness": _sharpness,
    "posterize": _posterize,
    "solarize": _solarize,
}


# Geometric operations: strength (T,) to matrices (T, 2, 3) ----------------------------------------------------------


def _matrix(strength: Tensor, entries: dict[tuple[int, int], Tensor]) -> Tensor:
    matrices = torch.zeros(len(strength), 2, 3, dtype=strength.dtype, device=strength.device)
    matrices[:, 0, 0] = matrices[:, 1, 1] = 1
    for (row, column), value in entries.items():
        matrices[:, row, column] = value
    return matrices


def _rotation(strength: Tensor) -> Tensor:
    angle = strength * (np.pi / 6)
    cosine, sine = angle.cos(), angle.sin()
    return _matrix(strength, {(0, 0): cosine, (0, 1): -sine, (1, 0): sine, (1, 1): cosine})


GEOMETRIC: dict[str, Callable[[Tensor], Tensor]] = {
    "shear x": lambda strength: _matrix(strength, {(0, 1): 0.3 * strength}),
    "shear y": lambda strength: _matrix(strength, {(1, 0): 0.3 * strength}),
    "translate x": lambda strength: _matrix(strength, {(0, 2): 0.6 * strength}),
    "translate y": lambda strength: _matrix(strength, {(1, 2): 0.6 * strength}),
    "rotate": _rotation,
}
