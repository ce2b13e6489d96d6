"""The linear actor head on SlowFast maps: pool in time, ROIAlign, pool in space, one linear map (SlowFast, ACAR)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from methods.networks.roi_align import roi_align


def pool_in_time(slow: Tensor, fast: Tensor) -> tuple[Tensor, Tensor]:
    """Mean over the frames of each pathway, (B, C, T, H, W) to (B, C, H, W)."""
    return slow.mean(dim=2), fast.mean(dim=2)


def pool_actors(
    maps: Tensor, boxes: Tensor, resolution: int, scale: float, aligned: bool, people: Sequence[int] | None = None
) -> Tensor:
    """The strongest response of every channel inside each box, (R, C): ROIAlign with adaptive samples, then maximum."""
    pooled = roi_align(maps, boxes, resolution, scale, sampling_ratio=0, aligned=aligned, counts=people)
    return pooled.flatten(2).amax(dim=2)


class LinearActorHead(nn.Module):
    """Class logits of each box from both pathways (slow channels first).

    Args:
        channels: channels of the slow and the fast map.
        classes: number of action classes C.
        dropout, bias: 0.5 and True in SlowFast, 0 and False in ACAR's linear head.
        aligned: convention of ROIAlign; True in SlowFast's configuration.
        scale: feature cells per pixel (1/16); None takes boxes in [0, 1] and multiplies them by the map's width and
            height (ACAR). With 340 pixels 340/16 = 21.25 but the map has 22 columns: the two differ.
    """

    def __init__(
        self,
        channels: tuple[int, int],
        classes: int,
        dropout: float = 0.5,
        bias: bool = True,
        resolution: int = 7,
        aligned: bool = True,
        scale: float | None = 1 / 16,
    ) -> None:
        super().__init__()
        self.resolution, self.aligned, self.scale = resolution, aligned, scale
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(sum(channels), classes, bias=bias)
        nn.init.normal_(self.projection.weight, std=0.01)
        if bias:
            nn.init.zeros_(self.projection.bias)

    def features(self, slow: Tensor, fast: Tensor, boxes: Tensor, people: Sequence[int] | None = None) -> Tensor:
        """Actor features (R, slow + fast channels) of boxes (R, 5) with batch index; ``people`` of each clip."""
        pooled = [pool_actors(maps, *self._place(boxes, maps), people) for maps in pool_in_time(slow, fast)]
        return torch.cat(pooled, dim=1)

    def forward(self, slow: Tensor, fast: Tensor, boxes: Tensor, people: Sequence[int] | None = None) -> Tensor:
        """Logits (R, C)."""
        return self.projection(self.dropout(self.features(slow, fast, boxes, people)))

    def _place(self, boxes: Tensor, maps: Tensor) -> tuple[Tensor, int, float, bool]:
        if self.scale is not None:
            return boxes, self.resolution, self.scale, self.aligned
        return boxes_on_map(boxes, maps), self.resolution, 1.0, self.aligned


def boxes_on_map(boxes: Tensor, maps: Tensor) -> Tensor:
    """Boxes (R, 5) in [0, 1] of the padded batch, in cells of the map; a new tensor, the given one stays as it is."""
    height, width = maps.shape[-2:]
    owner, left, top, right, bottom = boxes.unbind(1)
    return torch.stack([owner, left * width, top * height, right * width, bottom * height], dim=1)
