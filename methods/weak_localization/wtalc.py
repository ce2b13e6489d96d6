"""W-TALC (Paul, Roy and Roy-Chowdhury, ECCV 2018): videos that share a class should look alike where it happens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from methods.networks.products import Linear
from methods.weak_localization.parts.initialization import initialized
from methods.weak_localization.parts.networks import check_width
from methods.weak_localization.parts.padding import padded_rows, time_mask
from methods.weak_localization.parts.peak_localizer import PeakLocalizer, multiple_instance_loss
from suite.method import Batch, Losses, Presets, Run, Selection, hyper
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
        self.embed = nn.Sequential(Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout))
        self.classify = nn.Linear(hidden, classes)

    def forward(self, rows: Tensor) -> WTALCScores:
        """Scores of feature rows (..., D)."""
        check_width(rows, self.width)
        embedding = self.embed(rows)
        return WTALCScores(self.classify(embedding), embedding)


def co_activity_loss(
    activation: Tensor, embedding: Tensor, lengths: Tensor, labels: Tensor, pairs: int, margin: float
) -> Tensor:
    """Co-activity similarity (eq. 7): for ``pairs`` pairs of consecutive videos and each class that both show.

    The class's attended feature of one video is nearer (cosine distance) to the other's than to what the other's
    attention leaves, by ``margin``. Zero when no pair shares a class, and finite for videos of one snippet, which leave
    nothing: the released code gives NaN for both.
    """
    valid = time_mask(lengths, activation.shape[1])[..., None]
    attention = activation.masked_fill(~valid, -torch.inf).softmax(dim=1)
    high = F.normalize(torch.einsum("bth,btc->bch", embedding, attention), dim=-1)
    # Attention adds up to 1 over L snippets, what it leaves to L - 1.
    rest = (valid.to(embedding.dtype) - attention) / (lengths - 1).clamp(min=1)[:, None, None]
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
    aliases = ("wtalc",)
    title = "W-TALC"
    paper = "Paul et al., ECCV 2018"
    # sujoyp/wtalc-pytorch@81ea982: options.py, main.py; the weights of the last iteration, tested every 500.
    presets: ClassVar[Presets] = {
        "recommended": {},
        "published": {
            "lr": 1e-4,
            "weight_decay": 5e-4,
            "batch": 10,
            "steps": 100_000,
            "evaluate_every": 25,
            "positions": 750,
            "hidden": 2048,
            "draw": "replacement",
            "initialization": "xavier",
            "detection_count": "floor",
            "shortest": 2,
            "skip_short": True,
        },
    }
    published_selection: ClassVar[Selection] = "last"

    hidden: int = hyper(2048, low=1, high=65_536, source="released code")
    dropout: float = hyper(0.7, low=0.0, high=0.95, source="released code")
    batch: int = hyper(10, low=1, high=4096, source="released code")
    pairs: int = hyper(3, low=0, high=100, source="released code", help="pairs of videos of one class in a batch")
    share: float = hyper(0.5, low=0.0, high=1.0, symbol="λ", packed=True, source="§4: weight of the MIL term")
    margin: float = hyper(0.5, low=0.0, high=2.0, symbol="δ", packed=True, source="§3.3")
    peak_weight: float = hyper(0.7, low=0.0, high=10.0, post=True, source="released code", help="video score's weight")
    skip_short: bool = hyper(
        False, post=True, source="released code: yes", help="videos of fewer snippets than the divisor localize nothing"
    )

    def network(self, data: TaskData[Videos]) -> nn.Module:
        network = WTALCNet(data.train.rows.shape[1], self.hidden, len(data.classes), self.dropout)
        return initialized(network, self.initialization)

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        """As many batches as cover the training set once; each starts with pairs that share a class."""
        train = run.data.train
        labels = np.asarray(train.video_labels)
        often = np.flatnonzero(labels.sum(axis=0) >= 2)
        again = self.draw == "replacement"
        pairs = min(self.pairs, len(often) * (self.pairs if again else 1), self.batch // 2)
        for _ in range(-(-len(train) // self.batch)):
            chosen = [
                generator.choice(np.flatnonzero(labels[:, c]), 2, replace=again)
                for c in generator.choice(often, pairs, replace=again)
            ]
            left = self.batch - 2 * pairs
            rest = generator.choice(len(train), left if again else min(left, len(train)), replace=again)
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

    def kept(self, scores: np.ndarray, length: int) -> np.ndarray:
        return np.flatnonzero(scores > 0) if length >= self.divisor or not self.skip_short else np.zeros(0, np.int64)
