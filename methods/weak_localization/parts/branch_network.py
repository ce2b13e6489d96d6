"""CMCS's network, several classifiers that must differ, and its losses (Liu, Jiang and Wang, CVPR 2019, §3.2).

Every loss is of single videos (B,); what lies beyond a video's end counts in none.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from methods.networks.convolutions import TimeConvolution
from methods.networks.softmax import class_softmax
from methods.weak_localization.parts.networks import check_width, halves
from methods.weak_localization.parts.padding import masked_mean, time_mask

STREAMS = 2  # RGB first
LEAST = 1e-6  # added to the denominators of cosines (released code)


class BranchScores(NamedTuple):
    """Class scores (B, K, T, C + 1) of K branches, background last; attention (B, T), zero beyond a video's end."""

    branches: Tensor
    attention: Tensor

    @property
    def average(self) -> Tensor:
        """(B, T, C + 1) mean of the branches."""
        return self.branches.mean(dim=1)


class BranchShape(NamedTuple):
    """Hidden units of the base and of each branch, classes without background, branches; ``dropout`` of channels.

    Without ``attends`` a video is pooled by its largest scores.
    """

    hidden: int
    branch_hidden: int
    classes: int
    branches: int
    dropout: float
    attends: bool


class BranchNetwork(nn.Module):
    """D → H on each snippet, K classifiers of kernel 3 on that, and an attention over time, as released.

    Dropout takes whole channels over all time.
    """

    def __init__(self, width: int, shape: BranchShape) -> None:
        super().__init__()
        self.width = width
        hidden, own, count = shape.hidden, shape.branch_hidden, range(shape.branches)
        self.dropout = nn.Dropout1d(shape.dropout)
        self.base = TimeConvolution(width, hidden)
        self.temporal = nn.ModuleList(TimeConvolution(hidden, own, 3) for _ in count)
        self.classify = nn.ModuleList(nn.Linear(own, shape.classes + 1) for _ in count)
        # no bias behind the attention: a softmax over time takes it away again
        attend = nn.Sequential(TimeConvolution(hidden, own), nn.ReLU(), TimeConvolution(own, 1, bias=False))
        self.attend = attend if shape.attends else None

    def forward(self, features: Tensor, lengths: Tensor) -> BranchScores:
        """Scores of features (B, T, D) of videos of ``lengths`` (B,)."""
        check_width(features, self.width)
        valid = time_mask(lengths, features.shape[1])
        # zero behind the base, too: a branch's convolution sees a video's end as released code, which pads by zeros
        kept = self.dropout(features.transpose(1, 2)).transpose(1, 2)
        seen = self.base(kept).relu() * valid[..., None]
        scores = [head(net(seen).relu()) for net, head in zip(self.temporal, self.classify)]
        branches = torch.stack(scores, dim=1)
        if self.attend is None:
            return BranchScores(branches, valid.to(seen.dtype))
        weight = self.attend(seen).squeeze(2).masked_fill(~valid, -torch.inf)
        return BranchScores(branches, weight.softmax(dim=1))

    def pooled(self, scores: BranchScores, lengths: Tensor) -> Tensor:
        """(B, C + 1) class scores of whole videos."""
        average = scores.average
        if self.attend is not None:
            return (average * scores.attention[..., None]).sum(dim=1)
        return average.masked_fill(~time_mask(lengths, average.shape[1])[..., None], -torch.inf).amax(dim=1)


class FusedBranches(nn.Module):
    """One network on all channels (``early``), or one on each half of them, trained side by side (``late``)."""

    def __init__(self, width: int, fusion: str, shape: BranchShape) -> None:
        super().__init__()
        self.width, self.streams = width, STREAMS if fusion == "late" else 1
        channels = halves(width) if fusion == "late" else width
        self.nets = nn.ModuleList(BranchNetwork(channels, shape) for _ in range(self.streams))

    def forward(self, features: Tensor, lengths: Tensor) -> list[tuple[BranchScores, Tensor]]:
        """Scores and pooled scores of features (B, T, D) by each network; they share no parameter."""
        check_width(features, self.width)
        found = []
        for net, view in zip(self.nets, features.chunk(self.streams, dim=-1)):
            assert isinstance(net, BranchNetwork)
            scores: BranchScores = net(view, lengths)
            found.append((scores, net.pooled(scores, lengths)))
        return found


def diversity_loss(branches: Tensor, lengths: Tensor) -> Tensor:
    """(B,) how alike branches are (eq. 3): mean cosine over time of their class probabilities, over pairs and classes.

    Cosines of a branch with itself stay at or below 1 and cost nothing. Zero for a single branch.
    """
    count = branches.shape[1]
    valid = time_mask(lengths, branches.shape[2])[:, None, :, None]
    shares = (class_softmax(branches) * valid).permute(0, 3, 1, 2)  # (B, C + 1, K, T)
    size = shares.norm(dim=-1, keepdim=True)
    cosine = shares @ shares.transpose(2, 3) / (size * size.transpose(2, 3) + LEAST)
    alike = F.relu(cosine - torch.eye(count, dtype=cosine.dtype, device=cosine.device))
    return alike.sum(dim=(2, 3)).mean(dim=1) / max(1, count * (count - 1))


def norm_loss(branches: Tensor, lengths: Tensor) -> Tensor:
    """(B,) how unlike the sizes of branches are (eq. 4): deviation of each mean absolute score from theirs."""
    size = masked_mean(branches.abs().transpose(1, 2), lengths)  # (B, K, C + 1)
    return (size - size.mean(dim=1, keepdim=True)).abs().mean(dim=(1, 2))
