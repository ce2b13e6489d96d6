"""Attention by modality: what STPN and background modelling share, networks and inference.

Two networks, one a modality, are trained side by side; they share no parameter, so this is training them one after the
other. The released codes add proposals of both modalities and suppress them together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from methods.weak_localization.parts.base import WeakLocalization, per_snippet
from methods.weak_localization.parts.distinct import once
from methods.weak_localization.parts.localize import Activation
from methods.weak_localization.parts.networks import check_width, halves, snippet_mlp
from methods.weak_localization.parts.proposals import Runs, ranked_runs
from methods.weak_localization.parts.sampling import uniform_index
from suite.method import Batch, Run, Scores, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

STREAMS = 2


class AttentionScores(NamedTuple):
    """Class activations (..., 2, C) without bias and attention (..., 2) in [0, 1], one a modality."""

    activation: Tensor
    attention: Tensor


class TwoStreamAttention(nn.Module):
    """For each half of the channels an attention D/2 → H → 1 and a linear classifier D/2 → C, on each snippet."""

    def __init__(self, width: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.width, self.channels = width, halves(width)
        self.attention = nn.ModuleList(snippet_mlp(self.channels, hidden, 1) for _ in range(STREAMS))
        layers = [nn.Linear(self.channels, classes) for _ in range(STREAMS)]
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers]))

    def forward(self, rows: Tensor) -> AttentionScores:
        """Scores of feature rows (..., D)."""
        check_width(rows, self.width)
        views = rows.unflatten(-1, (STREAMS, self.channels))
        activation = torch.einsum("...sd,scd->...sc", views, self.weight)
        attention = [net(view).squeeze(-1) for view, net in zip(views.unbind(dim=-2), self.attention)]
        return AttentionScores(activation, torch.sigmoid(torch.stack(attention, dim=-1)))


def bias_of(network: nn.Module) -> Tensor:
    """(2, C) what the classifiers add to a video's pooled activation."""
    assert isinstance(network, TwoStreamAttention)
    return network.bias


class TwoStreamLocalizer(WeakLocalization):
    """Thresholds on attention-weighted class activations; a run is worth its mean over both modalities."""

    hidden: int = hyper(256, low=1, high=65_536, source="STPN: FC 256")
    batch: int = hyper(6, low=1, high=4096, source="STPN, reproduced code")
    positions: int = hyper(400, low=1, high=100_000, symbol="T", source="STPN: 400 segments")
    weight_decay: float = hyper(0.0, low=0.0, high=1.0, packed=True, source="STPN, reproduced code: none")
    epochs: int = hyper(690, low=1, high=100_000, source="STPN, reproduced code: about 23,000 steps of 6 of 200 videos")
    class_threshold: float = hyper(0.1, low=0.0, high=1.0, post=True, source="STPN")
    threshold: float = hyper(0.05, low=0.0, high=1.0, post=True, source="STPN")
    other_share: float = hyper(0.5, low=0.0, high=1.0, post=True, source="STPN: both modalities weigh the same")
    nms_threshold: float = hyper(0.5, low=0.0, high=1.0, post=True, source="STPN")

    def probability(self, logits: Tensor) -> Tensor:
        """Class probabilities of video logits (..., C), and of a snippet's activations."""
        raise TypeError(f"{self.name} has no class probability: implement probability().")

    def rank_of(self, activation: np.ndarray) -> np.ndarray:
        """(..., C) what a proposal is scored by, of activations (..., C)."""
        return activation

    def pooled(self, scores: AttentionScores) -> Tensor:
        """(B, 2, C) attention-weighted mean activation of videos (B, T, ...)."""
        return (scores.attention[..., None] * scores.activation).mean(dim=1)

    def outputs(self, network: nn.Module, batch: Batch, run: Run) -> AttentionScores:
        """What the network says of a batch; each distinct snippet is computed once."""
        return once(network, self.store(run), batch["index"], self.workspace(run, batch["index"]))

    def network(self, data: TaskData[Videos]) -> nn.Module:
        return TwoStreamAttention(data.train.rows.shape[1], self.hidden, self.outputs_of(data))

    def outputs_of(self, data: TaskData[Videos]) -> int:
        """How many classes the classifier knows."""
        return len(data.classes)

    def score(self, network: nn.Module, samples: Videos, run: Run) -> Scores:
        activation, attention = per_snippet(network, samples.rows, run.device)
        found = []
        for video, length in enumerate(samples.lengths):
            rows = torch.from_numpy(samples.offsets[video] + uniform_index(int(length), self.positions))
            parts = AttentionScores(torch.from_numpy(activation)[rows][None], torch.from_numpy(attention)[rows][None])
            logits = self.pooled(parts) + bias_of(network).detach().cpu()
            found.append(self.probability(logits).mean(dim=1)[0].numpy())
        classes = samples.video_labels.shape[1]
        shown = self.probability(torch.from_numpy(activation)).numpy()[..., :classes]
        return {
            "weighted": attention[..., None] * shown,
            "rank": attention[..., None] * self.rank_of(activation)[..., :classes],
            "probability": np.array(found, dtype=np.float32).reshape(len(samples), -1)[:, :classes]
            if found
            else np.zeros((0, classes), dtype=np.float32),
        }

    def activations(self, scores: Scores, samples: Videos) -> Iterator[Activation]:
        for video, probability in enumerate(scores["probability"]):
            rows = samples.offsets[video] + uniform_index(int(samples.lengths[video]), self.positions)
            classes = np.flatnonzero(probability > self.class_threshold)
            signal, rank = (scores[name][rows][..., classes].astype(np.float64) for name in ("weighted", "rank"))
            mixed = (1 - self.other_share) * rank + self.other_share * rank[:, ::-1]
            yield Activation(
                np.tile(classes, STREAMS),
                np.tile(probability[classes], STREAMS),
                signal.reshape(len(rows), -1),
                mixed.reshape(len(rows), -1),
            )

    def propose(self, signal: np.ndarray, probability: float, rank: np.ndarray) -> Runs:
        return ranked_runs(signal > self.threshold, rank)
