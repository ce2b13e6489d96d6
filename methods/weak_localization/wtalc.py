"""W-TALC (Paul, Roy and Roy-Chowdhury, ECCV 2018): videos that share a class should look alike where it happens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from methods.weak_localization.basnet import spread
from methods.weak_localization.parts.networks import check_width
from methods.weak_localization.parts.peak_localizer import PeakLocalizer, padded_rows, time_mask
from suite.method import Batch, Losses, Run, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos


class WTALCScores(NamedTuple):
    """Class activations (..., C) and the embedding (..., H) that they are read from."""

    activation: Tensor
    embedding: Tensor


class WTALCNet(nn.Module):
    """Linear D → H, ReLU, dropout, linear H → C, on each snippet."""

    def __init__(self, width: int, hidden: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.embed = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout))
        self.classify = nn.Linear(hidden, classes)

    def forward(self, rows: Tensor) -> WTALCScores:
        """Scores of feature rows (..., D)."""
        check_width(rows, self.width)
        embedding = self.embed(rows)
        return WTALCScores(self.classify(embedding), embedding)


def top_share_mean(activation: Tensor, lengths: Tensor, divisor: int) -> Tensor:
    """(B, C) mean of the ceil(L / divisor) largest of the first L activations of each class; (B, T, C) in."""
    count = torch.div(lengths + divisor - 1, divisor, rounding_mode="floor").clamp(min=1)
    hidden = activation.masked_fill(~time_mask(lengths, activation.shape[1])[..., None], -torch.inf)
    best = hidden.sort(dim=1, descending=True).values
    taken = time_mask(count, activation.shape[1])[..., None]
    return torch.where(taken, best, 0.0).sum(dim=1) / count[:, None]


def multiple_instance_loss(activation: Tensor, lengths: Tensor, labels: Tensor, divisor: int) -> Tensor:
    """Cross entropy of the softmax of top-share means against labels spread over the video's classes."""
    logits = top_share_mean(activation, lengths, divisor)
    return -(spread(labels) * F.log_softmax(logits, dim=1)).sum(dim=1).mean()


def co_activity_loss(
    activation: Tensor, embedding: Tensor, lengths: Tensor, labels: Tensor, pairs: int, margin: float
) -> Tensor:
    """Co-activity similarity (eq. 7): for ``pairs`` pairs of consecutive videos and each class that both show.

    The class's attended feature of one video is nearer (cosine distance) to the other's than to what the other's
    attention leaves, by ``margin``. Zero when no pair shares a class.
    """
    masked = activation.masked_fill(~time_mask(lengths, activation.shape[1])[..., None], -torch.inf)
    attention = masked.softmax(dim=1)
    valid = time_mask(lengths, activation.shape[1])[..., None].to(embedding.dtype)
    high = F.normalize(torch.einsum("bth,btc->bch", embedding, attention), dim=-1)
    rest = (valid - attention) / (lengths - 1).clamp(min=1)[:, None, None]
    low = F.normalize(torch.einsum("bth,btc->bch", embedding, rest), dim=-1)
    terms, shared = activation.new_zeros(()), activation.new_zeros(())
    for one in range(0, 2 * pairs, 2):
        both = labels[one] * labels[one + 1]
        near = 1 - (high[one] * high[one + 1]).sum(dim=-1)
        first = near - (1 - (high[one] * low[one + 1]).sum(dim=-1)) + margin
        second = near - (1 - (low[one] * high[one + 1]).sum(dim=-1)) + margin
        terms = terms + (0.5 * both * (first.relu() + second.relu())).sum()
        shared = shared + both.sum()
    return terms / shared.clamp(min=1)


class WTALC(PeakLocalizer):
    """Multiple instance learning plus co-activity similarity between videos of a class."""

    name = "w-talc"
    title = "W-TALC"
    paper = "Paul et al., ECCV 2018"

    hidden: int = hyper(2048, low=1, high=65_536, source="released code")
    dropout: float = hyper(0.7, low=0.0, high=0.95, source="released code")
    batch: int = hyper(10, low=1, high=4096, source="released code")
    pairs: int = hyper(3, low=0, high=100, source="released code", help="pairs of videos of one class in a batch")
    divisor: int = hyper(8, low=1, high=10_000, symbol="s", source="§4: k = ceil(L / 8)")
    share: float = hyper(0.5, low=0.0, high=1.0, symbol="λ", packed=True, source="§4: weight of the MIL term")
    margin: float = hyper(0.5, low=0.0, high=2.0, symbol="δ", packed=True, source="§3.3")
    peak_weight: float = hyper(0.7, low=0.0, high=10.0, post=True, source="released code", help="video score's weight")

    def network(self, data: TaskData[Videos]) -> nn.Module:
        return WTALCNet(data.train.rows.shape[1], self.hidden, len(data.classes), self.dropout)

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        """As many batches as cover the training set once; each starts with pairs that share a class."""
        train = run.data.train
        labels = np.asarray(train.video_labels)
        often = np.flatnonzero(labels.sum(axis=0) >= 2)
        pairs = min(self.pairs, len(often), self.batch // 2)
        for _ in range(-(-len(train) // self.batch)):
            chosen = [
                generator.choice(np.flatnonzero(labels[:, c]), 2, replace=False)
                for c in generator.choice(often, pairs, replace=False)
            ]
            rest = generator.choice(len(train), min(self.batch - 2 * pairs, len(train)), replace=False)
            videos = np.concatenate([*chosen, rest]).astype(np.int64)
            yield {"video": torch.from_numpy(videos), **padded_rows(train, videos, self.positions, generator)}

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        scores, labels, lengths = network(self.store(run)[batch["index"]]), self.labels(run, batch), batch["length"]
        pairs = self.paired(labels)
        similar = co_activity_loss(scores.activation, scores.embedding, lengths, labels, pairs, self.margin)
        return {
            "multiple_instance": self.share * multiple_instance_loss(scores.activation, lengths, labels, self.divisor),
            "co_activity": (1 - self.share) * similar,
        }

    def paired(self, labels: Tensor) -> int:
        """How many pairs the batch starts with; a worker's share of a batch may have lost some."""
        return min(self.pairs, len(labels) // 2)

    def video_scores(self, activation: np.ndarray) -> np.ndarray:
        tensor = torch.from_numpy(activation)[None]
        return top_share_mean(tensor, torch.tensor([len(activation)]), self.divisor)[0].numpy()

    def kept(self, scores: np.ndarray) -> np.ndarray:
        return np.flatnonzero(scores > 0)
