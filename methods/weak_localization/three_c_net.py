"""3C-Net (Narayan et al., ICCV 2019) without its count loss, which needs the number of instances of every class.

Category loss on each modality and on their learned sum, and a centre loss that pulls the attended features of a class
together. What is left out is extra annotation, so this is the weakly supervised part of the method.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from methods.weak_localization.parts.networks import check_width, halves
from methods.weak_localization.parts.peak_localizer import PeakLocalizer, padded_rows, time_mask
from methods.weak_localization.wtalc import multiple_instance_loss, top_share_mean
from suite.method import Batch, Losses, Run, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

STREAMS = 2
CENTRE_RATE = 0.1  # the released code moves centres by SGD at 0.1


class ThreeCNetScores(NamedTuple):
    """Fused class activations (..., C), those of each modality (..., 2, C), and embeddings (..., 2, H)."""

    activation: Tensor
    streams: Tensor
    embedding: Tensor


class ThreeCNetwork(nn.Module):
    """For each modality D/2 → H → H with dropout → C, on each snippet; activations add by learned weights."""

    def __init__(self, width: int, hidden: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.width, self.channels = width, halves(width)
        self.embed = nn.ModuleList(
            nn.Sequential(
                nn.Linear(self.channels, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout)
            )
            for _ in range(STREAMS)
        )
        self.classify = nn.ModuleList(nn.Linear(hidden, classes) for _ in range(STREAMS))
        self.share = nn.Parameter(torch.full((STREAMS, classes), 1 / STREAMS))

    def forward(self, rows: Tensor) -> ThreeCNetScores:
        """Scores of feature rows (..., D)."""
        check_width(rows, self.width)
        views = rows.unflatten(-1, (STREAMS, self.channels)).unbind(dim=-2)
        embedding = [net(view) for net, view in zip(self.embed, views)]
        streams = torch.stack([layer(inner) for layer, inner in zip(self.classify, embedding)], dim=-2)
        return ThreeCNetScores((self.share * streams).sum(dim=-2), streams, torch.stack(embedding, dim=-2))


def attended_features(streams: Tensor, embedding: Tensor, lengths: Tensor) -> Tensor:
    """(B, 2, C, H) features of each class: embeddings averaged by temporal softmax, below-average attention removed.

    ``streams`` (B, T, 2, C), ``embedding`` (B, T, 2, H), ``lengths`` (B,) valid positions.
    """
    valid = time_mask(lengths, streams.shape[1])[..., None, None]
    attention = streams.masked_fill(~valid, -torch.inf).softmax(dim=1)
    mean = 1 / lengths.to(attention.dtype)[:, None, None, None]
    kept = attention * (attention >= mean)
    kept = kept / kept.sum(dim=1, keepdim=True).clamp(min=1e-12)
    return torch.einsum("btsh,btsc->bsch", embedding, kept)


def centre_loss(features: Tensor, centres: Tensor, labels: Tensor) -> Tensor:
    """Mean squared distance of attended features (B, 2, C, H) to their class centres (2, C, H), over present classes.

    Summed over modalities; half the squared distance, as usual for this loss.
    """
    distance = 0.5 * (features - centres).square().sum(dim=-1)
    return (distance * labels[:, None]).sum() / labels.sum().clamp(min=1)


def moved_centres(features: Tensor, centres: Tensor, labels: Tensor, rate: float = CENTRE_RATE) -> Tensor:
    """The centres after one step of gradient descent on :func:`centre_loss`."""
    pull = ((features - centres) * labels[:, None, :, None]).sum(dim=0)
    return centres + rate * pull / labels.sum().clamp(min=1)


class ThreeCNet(PeakLocalizer):
    """Category and centre loss on two modalities."""

    name = "3c-net"
    title = "3C-Net without counts"
    paper = "Narayan et al., ICCV 2019"

    hidden: int = hyper(1024, low=1, high=65_536, source="released code")
    dropout: float = hyper(0.7, low=0.0, high=0.95, source="released code")
    batch: int = hyper(32, low=1, high=4096, source="released code")
    divisor: int = hyper(8, low=1, high=10_000, symbol="s", source="§3.2: k = ceil(L / 8)")
    centre_weight: float = hyper(1e-3, low=0.0, high=1.0, symbol="α", packed=True, source="§4.1")
    single_steps: int = hyper(
        5000,
        low=0,
        high=10_000_000,
        source="released code",
        help="steps with centres of one-class videos only",
    )

    def network(self, data: TaskData[Videos]) -> nn.Module:
        return ThreeCNetwork(data.train.rows.shape[1], self.hidden, len(data.classes), self.dropout)

    def begin(self, run: Run) -> None:
        classes = len(run.data.classes)
        run.memory["centres"] = torch.randn(STREAMS, classes, self.hidden, device=run.device)

    def sampled(self, train: Videos, videos: np.ndarray, generator: np.random.Generator) -> Batch:
        return padded_rows(train, videos, self.positions, generator)

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        scores: ThreeCNetScores = network(self.store(run)[batch["index"]])
        labels, lengths = self.labels(run, batch), batch["length"]
        views = {"fused": scores.activation, "rgb": scores.streams[..., 0, :], "flow": scores.streams[..., 1, :]}
        parts: Losses = {
            f"category_{name}": multiple_instance_loss(view, lengths, labels, self.divisor)
            for name, view in views.items()
        }
        features = attended_features(scores.streams, scores.embedding, lengths)
        if run.step < self.single_steps:
            labels = labels * (labels.sum(dim=1, keepdim=True) == 1)
        parts["centre"] = self.centre_weight * centre_loss(features, run.memory["centres"], labels)
        run.memory["centres"] = moved_centres(features.detach(), run.memory["centres"], labels)
        return parts

    def video_scores(self, activation: np.ndarray) -> np.ndarray:
        length = torch.tensor([len(activation)])
        return top_share_mean(torch.from_numpy(activation)[None], length, self.divisor)[0].numpy()

    def kept(self, scores: np.ndarray) -> np.ndarray:
        """Classes above half the best score, as released."""
        return np.flatnonzero(scores > scores.max() / 2)
