"""What W-TALC and 3C-Net share: crops of real snippets instead of a grid, and runs above a class's mid-range."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from methods.weak_localization.parts.base import WeakLocalization, per_snippet
from methods.weak_localization.parts.localize import Activation
from methods.weak_localization.parts.proposals import Runs, ranked_runs
from methods.weak_localization.parts.sampling import crop_index
from suite.method import Batch, Run, Scores, hyper
from suite.tasks.localization.samples import Videos


def padded_rows(train: Videos, videos: np.ndarray, limit: int, generator: np.random.Generator) -> Batch:
    """At most ``limit`` consecutive snippets a video: ``index`` (B, T), the last row repeated, and ``length`` (B,)."""
    crops = [train.offsets[v] + crop_index(int(train.lengths[v]), limit, generator) for v in videos]
    length = np.array([len(crop) for crop in crops])
    index = np.array([np.pad(crop, (0, length.max() - len(crop)), mode="edge") for crop in crops])
    return {"index": torch.from_numpy(index), "length": torch.from_numpy(length)}


def time_mask(lengths: Tensor, positions: int) -> Tensor:
    """(B, T) bool, the first ``lengths`` (B,) positions."""
    return torch.arange(positions, device=lengths.device)[None] < lengths[:, None]


class PeakLocalizer(WeakLocalization):
    """Every snippet is looked at; a class's runs lie above the middle of its range, scored by their peak."""

    scale: int = hyper(1, low=1, high=1000, post=True, source="released code: no upsampling")
    nms: str = hyper("none", choices=("hard", "decay", "none"), post=True, source="released code: none")
    peak_weight: float = hyper(1.0, low=0.0, high=10.0, post=True, help="video score's weight in a proposal's score")

    def video_scores(self, activation: np.ndarray) -> np.ndarray:
        """(C,) the video's class scores, of its snippets' activations (L, C)."""
        raise TypeError(f"{self.name} does not score videos: implement video_scores().")

    def kept(self, scores: np.ndarray) -> np.ndarray:
        """The classes that a video with ``scores`` (C,) localizes."""
        raise TypeError(f"{self.name} chooses no classes: implement kept().")

    def score(self, network: nn.Module, samples: Videos, run: Run) -> Scores:
        activation = per_snippet(network, samples.rows, run.device)[0]
        owners = range(len(samples))
        found = [self.video_scores(activation[samples.offsets[v] : samples.offsets[v + 1]]) for v in owners]
        return {"activation": activation, "video": np.array(found).reshape(len(samples), activation.shape[1])}

    def activations(self, scores: Scores, samples: Videos) -> Iterator[Activation]:
        for video, found in enumerate(scores["video"]):
            classes = self.kept(found)
            signal = scores["activation"][samples.offsets[video] : samples.offsets[video + 1], classes]
            yield Activation(classes, found[classes], signal.astype(np.float64))

    def propose(self, signal: np.ndarray, probability: float, rank: np.ndarray) -> Runs:
        middle = (signal.max() + signal.min()) / 2
        runs = ranked_runs(signal > middle, rank, by="max")
        return Runs(runs.first, runs.last, runs.score + self.peak_weight * probability)
