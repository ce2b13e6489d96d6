"""EM-MIL (Luo et al., ECCV 2020): key snippets and their classes, each learned from the other's guess.

The released code scores videos with UntrimmedNet's classifier; here the class network's own top-k mean does, so that
the method needs nothing but the features. Proposals follow the shared rule of thresholds and outer-inner contrast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from methods.weak_localization.parts.base import grid_batches, uniform_grid
from methods.weak_localization.parts.networks import check_width, halves
from methods.weak_localization.parts.selection_localizer import SelectionLocalizer
from suite.method import Batch, Losses, Optimizer, Phase, Run, Scores, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

STREAMS = 2


class EMScores(NamedTuple):
    """Probability that a position is key (B, T, 2) and of each class (B, T, 2, C), one a modality."""

    key: Tensor
    label: Tensor


class EMNetwork(nn.Module):
    """For each modality two networks, kernel 3 then 1: one finds key positions, the other their classes."""

    def __init__(self, width: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.width, self.channels = width, halves(width)
        self.key = nn.ModuleList(self._branch(hidden, 1) for _ in range(STREAMS))
        self.label = nn.ModuleList(self._branch(hidden, classes) for _ in range(STREAMS))

    def _branch(self, hidden: int, out: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv1d(self.channels, hidden, 3, padding=1), nn.ReLU(), nn.Conv1d(hidden, out, 1))

    def forward(self, features: Tensor) -> EMScores:
        """Probabilities of features (B, T, D)."""
        check_width(features, self.width)
        views = [view.transpose(1, 2) for view in features.unflatten(-1, (STREAMS, self.channels)).unbind(dim=-2)]
        key = torch.stack([net(view).squeeze(1) for net, view in zip(self.key, views)], dim=-1)
        label = torch.stack([net(view).transpose(1, 2) for net, view in zip(self.label, views)], dim=2)
        return EMScores(key.sigmoid(), label.sigmoid())


def key_target(label: Tensor, video_labels: Tensor) -> Tensor:
    """E step: a position (B, T, 2) is key where any class of the video is above its own mean over time."""
    above = label > label.mean(dim=1, keepdim=True)
    return (above & (video_labels[:, None, None] > 0)).any(dim=-1).to(label.dtype)


def label_target(key: Tensor, video_labels: Tensor, margin: float) -> Tensor:
    """M step: the video's classes (B, T, 2, C) where ``key`` exceeds its mean by ``margin`` of its range."""
    span = key.amax(dim=1, keepdim=True) - key.amin(dim=1, keepdim=True)
    high = (key > key.mean(dim=1, keepdim=True) + margin * span).to(key.dtype)
    return high[..., None] * video_labels[:, None, None]


class EMMIL(SelectionLocalizer):
    """Expectation: which positions are key, given classes. Maximization: classes, given the key positions."""

    name = "em-mil"
    title = "EM-MIL"
    paper = "Luo et al., ECCV 2020"
    presets: ClassVar = {"code": {}, "paper": {"key_weight": 0.8, "label_weight": 0.2}}

    hidden: int = hyper(256, low=1, high=65_536, source="released code")
    batch: int = hyper(1, low=1, high=4096, source="released code")
    epochs: int = hyper(65, low=3, high=100_000, source="released code: at most 65")
    warm_epochs: int = hyper(10, low=1, high=10_000, source="released code", help="epochs of each net before turns")
    rate_factor: float = hyper(4.0, low=0.1, high=100.0, source="released code", help="learning rate of the turns")
    margin: float = hyper(0.15, low=0.0, high=1.0, packed=True, source="released code: mean + .15 of the range")
    key_weight: float = hyper(
        0.8, low=0.0, high=1.0, post=True, symbol="λ", source="released code: .8, .8; paper: λ, 1-λ"
    )
    label_weight: float = hyper(0.8, low=0.0, high=1.0, post=True, source="released code: .8, .8; paper: λ, 1-λ")

    def phases(self, data: TaskData[Videos]) -> Sequence[Phase]:
        """Classes learn from all positions of their videos, then keys from the classes, then they take turns."""
        warm = min(self.warm_epochs, max(1, self.epochs // 3))
        rest = max(1, self.epochs - 2 * warm)
        faster = Optimizer("adam", lr=self.lr * self.rate_factor, weight_decay=self.weight_decay)
        return [
            Phase("label", epochs=warm, optimizer=self.optimizer(), trainable=("label",), evaluate_every=warm),
            Phase("key", epochs=warm, optimizer=self.optimizer(), trainable=("key",), evaluate_every=warm),
            Phase("turns", epochs=rest, optimizer=faster, evaluate_every=min(self.evaluate_every, rest)),
        ]

    def network(self, data: TaskData[Videos]) -> nn.Module:
        return EMNetwork(data.train.rows.shape[1], self.hidden, len(data.classes))

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        scores: EMScores = network(self.store(run)[batch["index"]])
        labels = self.labels(run, batch)
        if run.phase.name == "key" or (run.phase.name == "turns" and run.epoch % 2):
            target = key_target(scores.label.detach(), labels)
            return {"key": F.binary_cross_entropy(scores.key, target)}
        if run.phase.name == "label":
            target = labels[:, None, None].expand_as(scores.label)
        else:
            target = label_target(scores.key.detach(), labels, self.margin)
        return {"label": F.binary_cross_entropy(scores.label, target)}

    def score(self, network: nn.Module, samples: Videos, run: Run) -> Scores:
        keys, labels = [], []
        for features in grid_batches(samples, uniform_grid(samples, self.positions), run.device):
            scores: EMScores = network(features)
            keys.append(scores.key.mean(dim=-1).float().cpu())
            labels.append(scores.label.mean(dim=2).float().cpu())
        label = torch.cat(labels)
        best = label.topk(max(1, self.positions // self.divisor), dim=1).values.mean(dim=1)
        return {
            "offsets": np.arange(len(samples) + 1) * self.positions,
            "class_score": label.flatten(0, 1).numpy(),
            "actionness": torch.cat(keys).reshape(-1, 1).numpy(),
            "probability": best.numpy(),
        }

    def signal(self, class_score: np.ndarray, actionness: np.ndarray) -> np.ndarray:
        return np.asarray(self.key_weight * actionness + self.label_weight * class_score)
