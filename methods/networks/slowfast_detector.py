"""SlowFast with a head on its actors: from clips and boxes to the class logits of each box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from methods.networks.acar import RelationHead
from methods.networks.slowfast import R50, SlowFast
from methods.networks.slowfast_head import LinearActorHead, boxes_on_map

MEAN, STD = 0.45, 0.225  # of every channel, as the published weights expect

Head = Literal["linear", "relation"]


class ActorDetector(nn.Module):
    """Backbone and head on clips (B, 3, T, H, W) with values in [0, 1] and boxes in [0, 1] of the padded batch.

    Args:
        classes: C; width, blocks, alpha, beta_inverse, frozen_bn: of :class:`SlowFast`; width is the head's too.
        head: ``linear`` (SlowFast) or ``relation`` (ACAR without feature bank).
        dropout: before the linear map, or inside the relation blocks.
    """

    def __init__(
        self,
        classes: int,
        width: int = 64,
        blocks: Sequence[int] = R50,
        alpha: int = 4,
        beta_inverse: int = 8,
        frozen_bn: bool = False,
        head: Head = "linear",
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.backbone = SlowFast(width, blocks, alpha, beta_inverse, frozen_bn=frozen_bn)
        self.head: LinearActorHead | RelationHead
        if head == "linear":
            self.head = LinearActorHead(self.backbone.channels, classes, dropout, scale=1 / self.backbone.stride)
        else:
            self.head = RelationHead(self.backbone.channels, classes, 16 * width, 8 * width, dropout=dropout)

    def forward(
        self, clips: Tensor, boxes: Tensor, sizes: Tensor | None = None, people: Sequence[int] | None = None
    ) -> Tensor:
        """Logits (R, C) of boxes (R, 5): batch index, x1, y1, x2, y2.

        ``sizes`` (B, 2) and the number of ``people`` of each clip as in :class:`RelationHead`.
        """
        maps: tuple[Tensor, Tensor] = self.backbone((clips - MEAN) / STD)
        if isinstance(self.head, RelationHead):
            return self.head.forward(maps[0], maps[1], boxes, sizes, people)
        return self.head.forward(maps[0], maps[1], boxes_on_map(boxes, clips), people)


def boxes_with_owner(boxes: Tensor, places: Tensor) -> Tensor:
    """Boxes (B, A, 4) padded to the most actors of a clip, to (R, 5) rows of clip index and box.

    ``places`` (R,): those of the actors among the B x A.
    """
    owner = (places // max(1, boxes.shape[1])).to(boxes.dtype)
    return torch.cat([owner[:, None], boxes.flatten(0, 1)[places]], dim=1)
