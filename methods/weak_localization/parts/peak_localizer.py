"""What W-TALC and 3C-Net share: crops of real snippets instead of a grid, and runs above a class's mid-range."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from methods.weak_localization.parts.base import per_snippet, spread
from methods.weak_localization.parts.initialization import CHOICES
from methods.weak_localization.parts.localize import Activation
from methods.weak_localization.parts.padding import largest_mean
from methods.weak_localization.parts.proposals import Runs, ranked_runs
from methods.weak_localization.parts.stepwise import Stepwise
from suite.method import Run, Scores, hyper
from suite.tasks.localization.samples import Videos


def top_share_mean(activation: Tensor, lengths: Tensor, divisor: int) -> Tensor:
    """(B, C) mean of the ceil(L / divisor) largest of the first L activations of each class; (B, T, C) in."""
    count = torch.div(lengths + divisor - 1, divisor, rounding_mode="floor").clamp(min=1)
    return largest_mean(activation, lengths, count)


def multiple_instance_loss(
    activation: Tensor, lengths: Tensor, labels: Tensor, divisor: int, counted: Tensor | None = None
) -> Tensor:
    """Cross entropy of the softmax of top-share means against labels spread over the video's classes.

    Mean over the videos, or over those that are ``counted`` (B,) bool; zero where none is.
    """
    logits = top_share_mean(activation, lengths, divisor)
    loss = -(spread(labels) * F.log_softmax(logits, dim=1)).sum(dim=1)
    return loss.mean() if counted is None else (loss * counted).sum() / counted.sum().clamp(min=1)


class PeakLocalizer(Stepwise):
    """Every snippet is looked at; a class's runs lie above the middle of its range, scored by their peak."""

    divisor: int = hyper(8, low=1, high=10_000, symbol="s", source="W-TALC §4, 3C-Net §3.2: k = L / 8")
    draw: str = hyper(
        "distinct",
        choices=("distinct", "replacement"),
        source="released code: replacement",
        help="videos of a batch: each at most once, or drawn anew each time",
    )
    initialization: str = hyper("xavier", choices=CHOICES, source="released code: Xavier uniform, biases 0")
    scale: int = hyper(1, low=1, high=1000, post=True, source="released code: no upsampling")
    nms: Literal["hard", "decay", "none"] = hyper(
        "none", choices=("hard", "decay", "none"), post=True, source="released code: none"
    )
    peak_weight: float = hyper(1.0, low=0.0, high=10.0, post=True, help="video score's weight in a proposal's score")
    detection_count: str = hyper(
        "floor",
        choices=("floor", "ceil"),
        source="released code: floor(L / 8) in detection, ceil(L / 8) in training",
        help="how many snippets score a video in detection, at least one",
    )
    shortest: int = hyper(
        2,
        low=1,
        high=1000,
        post=True,
        source="released code: runs of one snippet are dropped",
        help="snippets of a run",
    )

    def kept(self, scores: np.ndarray, length: int) -> np.ndarray:
        """The classes that a video of ``length`` snippets with ``scores`` (C,) localizes."""
        raise TypeError(f"{self.name} chooses no classes: implement kept().")

    def cut(self, signal: np.ndarray) -> float:
        """What a class's signal (L,) must exceed: the middle of its range."""
        return float(signal.max() + signal.min()) / 2

    def activation_rows(self, network: nn.Module, samples: Videos, run: Run) -> np.ndarray:
        """(ΣL, C) class activations of all snippets."""
        return per_snippet(network, samples.rows, run.device)[0]

    def score(self, network: nn.Module, samples: Videos, run: Run) -> Scores:
        activation = self.activation_rows(network, samples, run)
        owners = range(len(samples))
        found = [self.video_scores(activation[samples.offsets[v] : samples.offsets[v + 1]]) for v in owners]
        return {"activation": activation, "video": np.array(found).reshape(len(samples), activation.shape[1])}

    def video_scores(self, activation: np.ndarray) -> np.ndarray:
        """(C,) the video's class scores, of its snippets' activations (L, C): the mean of their largest ones."""
        whole, rest = divmod(len(activation), self.divisor)
        count = max(1, whole + (self.detection_count == "ceil" and rest > 0))
        best = np.sort(activation, axis=0)[len(activation) - count :]
        return np.asarray(best.mean(axis=0))

    def activations(self, scores: Scores, samples: Videos) -> Iterator[Activation]:
        for video, found in enumerate(scores["video"]):
            classes = self.kept(found, int(samples.lengths[video]))
            signal = scores["activation"][samples.offsets[video] : samples.offsets[video + 1], classes]
            yield Activation(classes, found[classes], signal.astype(np.float64))

    def propose(self, signal: np.ndarray, probability: float, rank: np.ndarray) -> Runs:
        runs = ranked_runs(signal > self.cut(signal), rank, by="max").at_least(self.shortest)
        return Runs(runs.first, runs.last, runs.score + self.peak_weight * probability)
