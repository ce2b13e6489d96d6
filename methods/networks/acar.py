"""The relation head of ACAR-Net (Pan et al., CVPR 2021) without actor feature bank: actors in their context."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.networks.roi_align import by_image
from methods.networks.slowfast_head import boxes_on_map, pool_actors, pool_in_time


class RelationBlock(nn.Module):
    """High-order relation reasoning: at every position of the map, attention over the actors of one clip."""

    def __init__(self, channels: int, dropout: float = 0.2) -> None:
        super().__init__()
        self.conv_q, self.conv_k, self.conv_v, self.conv = (
            nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(4)
        )
        self.norm = nn.GroupNorm(1, channels)
        self.dropout = nn.Dropout(dropout)

    def attention(self, actors: Tensor) -> Tensor:
        """Weights (A, A, H, W) of actor j (second) for actor i (first), a distribution over j at each position."""
        query, key = self.conv_q(actors), self.conv_k(actors)
        return (torch.einsum("ichw,jchw->ijhw", query, key) / math.sqrt(query.shape[1])).softmax(dim=1)

    def forward(self, actors: Tensor) -> Tensor:
        """Maps (A, C, H, W) of all actors of ONE clip, each with what attention takes from the others added."""
        mixed = torch.einsum("ijhw,jchw->ichw", self.attention(actors), self.conv_v(actors))
        return actors + self.dropout(self.conv(F.relu(self.norm(mixed))))


class RelationHead(nn.Module):
    """Actor, context and other actors to class logits.

    Args:
        channels: channels of the slow and the fast map. classes: number of classes C.
        reduced: channels after the joint reduction (1,024). hidden: channels of the relation maps (512).
        depth: relation blocks (2). aligned: convention of ROIAlign, False in the published head.
    """

    def __init__(
        self,
        channels: tuple[int, int],
        classes: int,
        reduced: int = 1024,
        hidden: int = 512,
        depth: int = 2,
        dropout: float = 0.2,
        resolution: int = 7,
        aligned: bool = False,
    ) -> None:
        super().__init__()
        self.resolution, self.aligned = resolution, aligned
        self.conv_reduce = nn.Conv2d(sum(channels), reduced, 1, bias=False)
        self.conv1 = nn.Conv2d(2 * reduced, hidden, 1, bias=False)
        self.conv2 = nn.Conv2d(hidden, hidden, 3, bias=False)
        self.hr2o = nn.ModuleList([RelationBlock(hidden, dropout) for _ in range(depth)])
        self.fc1 = nn.Linear(reduced, hidden, bias=False)
        self.fc2 = nn.Linear(2 * hidden, classes, bias=False)

    def forward(
        self,
        slow: Tensor,
        fast: Tensor,
        boxes: Tensor,
        sizes: Tensor | None = None,
        people: Sequence[int] | None = None,
    ) -> Tensor:
        """Logits (R, C), in the order of the boxes.

        Args:
            slow, fast: (B, C, T, H, W).
            boxes: (R, 5) batch index and x1, y1, x2, y2 in [0, 1] of the padded batch; a clip may have none.
            sizes: (B, 2) share of width and height of each clip that is not padding; None where nothing is padded. On
                the host, so that it does not wait for a device.
            people: B numbers of boxes, where these come in the order of clips and lie within them.
        """
        maps = self.conv_reduce(torch.cat(pool_in_time(slow, fast), dim=1))
        actors = pool_actors(maps, boxes_on_map(boxes, maps), self.resolution, 1.0, self.aligned, people)
        relations = actors.new_zeros((len(boxes), self.fc1.out_features))
        for clip, mine in by_image(boxes, people):
            context = without_padding(maps[clip], None if sizes is None else sizes[clip])
            # Clip by clip: actors relate to those of their own clip only, whose number differs, and clips to their own
            # size.
            related = self.relate(context, actors[mine]).mean(dim=(2, 3))
            relations = relations.index_copy(0, mine, related.to(relations.dtype))
        return self.fc2(torch.cat([F.relu(self.fc1(actors)), relations], dim=1))

    def pair(self, context: Tensor, actors: Tensor) -> Tensor:
        """First-order relations (A, hidden, h, w) of actors (A, reduced) with the context map (reduced, H, W)."""
        tiled = actors[:, :, None, None].expand(-1, -1, *context.shape[1:])
        paired = torch.cat([context.expand(len(actors), -1, -1, -1), tiled], dim=1)
        return F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(paired)))), 3, stride=2, padding=1)

    def relate(self, context: Tensor, actors: Tensor) -> Tensor:
        """Relation maps (A, hidden, h, w) of all actors of one clip."""
        related = self.pair(context, actors)
        for block in self.hr2o:
            related = block(related)
        return related


def without_padding(maps: Tensor, size: Tensor | None) -> Tensor:
    """The part of a map (C, H, W) that shows the clip: whole cells, rounded up (up to the rounding of a share)."""
    if size is None:
        return maps
    width, height = (math.ceil(cells * float(share) - 1e-5) for cells, share in zip(maps.shape[:0:-1], size))
    return maps[:, :height, :width]
