"""Which points of the pyramid answer for which action, and what they should predict (ActionFormer, §3.3)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

SAME_LENGTH = 1e-3  # grid cells; actions this close in length share a point's class target


class Targets(NamedTuple):
    """What P points of one video, or of a batch (leading axis B), should predict."""

    classes: Tensor  # (P, C) multi-hot, before label smoothing
    offsets: Tensor  # (P, 2) distances to start and end in strides; zero where no action is assigned
    instance: Tensor  # (P,) index of the assigned segment, -1 for background


def assign(points: Tensor, segments: Tensor, labels: Tensor, classes: int, radius: float = 1.5) -> Targets:
    """Assign the segments of one video to points.

    A point is positive for a segment if it lies strictly inside the segment and within ``radius`` strides of its
    centre, and if its larger distance to a boundary falls in the level's range (both ends included). Of several
    segments the shortest wins; the classes of all that are as short are united.

    Args:
        points: (P, 4) position, range low, range high, stride.
        segments: (N, 2) start and end in grid cells; N may be 0.
        labels: (N,) class indices.
        classes: number of classes C.
        radius: of centre sampling; ``inf`` takes every point inside a segment.
    """
    count = len(points)
    if len(segments) == 0:
        nothing = points.new_full((count,), -1, dtype=torch.long)
        return Targets(points.new_zeros(count, classes), points.new_zeros(count, 2), nothing)
    position, stride = points[:, :1], points[:, 3:]
    start, end = segments.to(points).T
    offsets = torch.stack([position - start, end - position], dim=2)
    # Infinitely long where a point may not answer, so that one minimum finds the shortest and shows whether there is
    # any.
    length = torch.where(_is_candidate(points, offsets, start, end, radius), end - start, torch.inf)
    shortest, instance = length.min(1)
    positive = shortest < torch.inf
    united = (length <= shortest[:, None] + SAME_LENGTH) & positive[:, None]
    one_hot = F.one_hot(labels.long(), classes).to(points)
    chosen = offsets[torch.arange(count, device=points.device), instance] / stride
    return Targets(
        (united.to(points) @ one_hot).clamp(max=1),
        torch.where(positive[:, None], chosen, 0.0),
        torch.where(positive, instance, -1),
    )


def _is_candidate(points: Tensor, offsets: Tensor, start: Tensor, end: Tensor, radius: float) -> Tensor:
    """(P, N) bool: point p may answer for segment n."""
    position, low, high, stride = points[:, :1], points[:, 1:2], points[:, 2:3], points[:, 3:]
    if radius == torch.inf:
        inside = offsets.amin(2) > 0
    else:
        centre = (start + end) / 2
        left = position - torch.maximum(centre - radius * stride, start)
        right = torch.minimum(centre + radius * stride, end) - position
        inside = torch.minimum(left, right) > 0
    reach = offsets.amax(2)
    return inside & (reach >= low) & (reach <= high)


def assign_batch(
    points: Tensor, segments: list[Tensor], labels: list[Tensor], classes: int, radius: float = 1.5
) -> Targets:
    """``assign`` for each video of a batch; fields are stacked along a leading axis."""
    each = [assign(points, s, y, classes, radius) for s, y in zip(segments, labels, strict=True)]
    return Targets(*(torch.stack(field) for field in zip(*each, strict=True)))
