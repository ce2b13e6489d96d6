"""3C-Net's network: two modalities, fused by learned weights for each class (ICCV 2019)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from methods.networks.products import Linear
from methods.weak_localization.parts.networks import check_width, halves
from methods.weak_localization.parts.padding import time_mask

STREAMS = 2
KERNEL, DILATION = 13, 2  # of the temporal convolution for ActivityNet; as many positions come out as go in


class ThreeCNetScores(NamedTuple):
    """Fused class activations (..., C), those of each modality (..., 2, C), and embeddings (..., 2, H)."""

    activation: Tensor
    streams: Tensor
    embedding: Tensor


class ThreeCNetwork(nn.Module):
    """For each modality D/2 → H → H with dropout → C, on each snippet; activations add by learned weights.

    ``temporal``: the sum goes through a convolution over time, each class by itself, and a ReLU. Then, and only then,
    outputs depend on neighbouring snippets.
    """

    def __init__(self, width: int, hidden: int, classes: int, dropout: float, temporal: bool = False) -> None:
        super().__init__()
        self.width, self.channels = width, halves(width)
        self.embed = nn.ModuleList(
            nn.Sequential(
                Linear(self.channels, hidden), nn.ReLU(), Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout)
            )
            for _ in range(STREAMS)
        )
        self.classify = nn.ModuleList(nn.Linear(hidden, classes) for _ in range(STREAMS))
        self.share = nn.Parameter(torch.ones(STREAMS, classes))
        padding = DILATION * (KERNEL - 1) // 2
        self.temporal = (
            nn.Conv1d(classes, classes, KERNEL, padding=padding, dilation=DILATION, groups=classes, bias=False)
            if temporal
            else None
        )

    def forward(self, rows: Tensor) -> ThreeCNetScores:
        """Scores of feature rows (..., D); of whole videos (B, T, D) where there is a temporal convolution."""
        check_width(rows, self.width)
        views = rows.unflatten(-1, (STREAMS, self.channels)).unbind(dim=-2)
        # Copied, since wide products take rows without gaps.
        embedding = [net(view.contiguous()) for net, view in zip(self.embed, views)]
        streams = torch.stack([layer(inner) for layer, inner in zip(self.classify, embedding)], dim=-2)
        fused = (self.share * streams).sum(dim=-2)
        if self.temporal is not None:
            fused = F.relu(self.temporal(fused.transpose(-1, -2))).transpose(-1, -2)
        return ThreeCNetScores(fused, streams, torch.stack(embedding, dim=-2))


def counting_features(activation: Tensor, lengths: Tensor) -> Tensor:
    """(B, T, C) activations weighted by their softmax over a video's snippets, zero beyond its end (§3.3)."""
    valid = time_mask(lengths, activation.shape[1])[..., None]
    attention = activation.masked_fill(~valid, -torch.inf).softmax(dim=1)
    return torch.where(valid, activation * attention, 0.0)
