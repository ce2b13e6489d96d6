"""The inference that Action Selection Learning and plain top-k pooling share: thresholds on a selection probability."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from methods.weak_localization.parts.base import WeakLocalization, as_tensor, looked_at, per_snippet
from methods.weak_localization.parts.distinct import once
from methods.weak_localization.parts.localize import Activation, NonMaximumSuppression, localize
from methods.weak_localization.parts.networks import SnippetScores
from methods.weak_localization.parts.proposals import ProposalRule, Runs, chosen_classes, propose
from methods.weak_localization.parts.sampling import interpolation, uniform_index
from methods.weak_localization.parts.selection import pool, select, top_k
from suite.evaluate.segments import Segments
from suite.method import Batch, Run, Scores, hyper
from suite.tasks.localization.samples import Videos


class SelectionLocalizer(WeakLocalization):
    """Top-k pooling by a selection h, and proposals where h exceeds thresholds (Ma et al., §3; released code).

    Scores hold ``class_score`` (N, C) and ``actionness`` (N, 1) of the positions that were looked at, those of video v
    from ``offsets[v]`` on, and ``probability`` (V, C) of the videos' classes.
    """

    divisor: int = hyper(8, low=1, high=10_000, symbol="T/k", source="§4: k = T / 8")
    class_score: str = hyper(
        "softmax",
        choices=("softmax", "cas"),
        source="released code: softmax over classes; eq. 6 writes the class activation itself",
    )
    sampling: str = hyper(
        "index", choices=("index", "interpolation"), source="released code: index; §4: linear interpolation"
    )
    class_threshold: float = hyper(0.25, low=0.0, high=1.0, post=True, source="released code; the paper gives none")
    threshold_low: float = hyper(0.1, low=0.0, high=1.0, post=True, source="released code: .1, .2 … .9")
    threshold_high: float = hyper(0.9, low=0.0, high=1.0, post=True, source="released code: .1, .2 … .9")
    thresholds: int = hyper(9, low=1, high=100, post=True, symbol="|α|", source="released code: 9; §4: ten from 0 to 1")
    strict: bool = hyper(False, post=True, source="released code: h ≥ α; §3.2: h > α")
    outer: float = hyper(
        0.2,
        low=0.0,
        high=10.0,
        post=True,
        source="released run: .2 (the class weight lands in its place); declared: .25",
    )
    class_weight: float = hyper(0.2, low=0.0, high=10.0, post=True, symbol="γ", source="released code")
    nms: str = hyper("decay", choices=("hard", "decay", "none"), post=True, source="released scripts: --soft_nms")
    nms_threshold: float = hyper(0.4, low=0.0, high=1.0, post=True, source="released code")
    nms_sigma: float = hyper(0.35, low=0.01, high=10.0, post=True, source="released code")
    nms_plus: float = hyper(1.0, low=0.0, high=10.0, post=True, source="released code: +1 second")

    def sampled(self, train: Videos, videos: np.ndarray, generator: np.random.Generator) -> Batch:
        if self.sampling == "index":
            return super().sampled(train, videos, generator)
        return interpolated_rows(train, videos, self.positions)

    def outputs(self, network: nn.Module, batch: Batch, run: Run) -> SnippetScores:
        """What the network says of a batch, (B, T, ...); each distinct snippet is computed once."""
        store = self.store(run)
        if self.sampling == "index":
            return once(network, store, batch["index"], self.workspace(run, batch["index"]))
        scores: SnippetScores = network(
            torch.lerp(store[batch["index"]], store[batch["right"]], batch["weight"][..., None])
        )
        return scores

    def score(self, network: nn.Module, samples: Videos, run: Run) -> Scores:
        if self.sampling == "index":
            wanted, offsets = looked_at(samples, self.positions)
            outputs = per_snippet(network, samples.rows, run.device, wanted)
        else:
            offsets = np.arange(len(samples) + 1) * self.positions
            outputs = interpolated_outputs(network, samples, self.positions, run.device)
        scores = self.described(*(torch.from_numpy(out) for out in outputs))
        selection = self.selection(scores["class_score"], scores["actionness"])
        probability = video_probability(torch.from_numpy(outputs[0]), selection, offsets, self.positions, self.divisor)
        return {"offsets": offsets, "probability": probability, **{k: v.numpy() for k, v in scores.items()}}

    def described(self, logits: Tensor, actionness: Tensor) -> dict[str, Tensor]:
        """The scores kept of activations (..., C): their softmax, or themselves; and the mean actionness (..., 1)."""
        scored = logits.softmax(dim=-1) if self.class_score == "softmax" else logits
        return {"class_score": scored, "actionness": actionness.mean(dim=-1, keepdim=True)}

    def selection(self, class_score: Tensor, actionness: Tensor) -> Tensor:
        """h (..., C) by which positions are chosen in training and pooled in inference."""
        raise TypeError(f"{self.name} selects nothing: implement selection().")

    def signal(self, class_score: np.ndarray, actionness: np.ndarray) -> np.ndarray:
        """(T, K) what is thresholded in one video; depends on post-processing parameters only."""
        return class_score

    def classes(self, probability: np.ndarray) -> np.ndarray:
        """The classes a video localizes."""
        return chosen_classes(probability, self.class_threshold)

    def activations(self, scores: Scores, samples: Videos) -> Iterator[Activation]:
        for video, probability in enumerate(scores["probability"]):
            first, last = scores["offsets"][video : video + 2]
            rows = first + uniform_index(int(last - first), self.positions)
            classes = self.classes(probability)
            signal = self.signal(scores["class_score"][rows][:, classes], scores["actionness"][rows])
            yield Activation(classes, probability[classes], np.asarray(signal, dtype=np.float64))

    def propose(self, signal: np.ndarray, probability: float, rank: np.ndarray) -> Runs:
        levels = tuple(np.linspace(self.threshold_low, self.threshold_high, self.thresholds))
        return propose(signal, probability, ProposalRule(levels, self.outer, self.class_weight, self.strict))

    def decode(self, scores: Scores, samples: Videos) -> Segments:
        suppression = NonMaximumSuppression(self.nms, self.nms_threshold, self.nms_sigma, self.nms_plus)
        return localize(self.activations(scores, samples), samples, self.propose, self.scale, suppression)


def video_probability(
    logits: Tensor, selection: Tensor, offsets: np.ndarray, positions: int, divisor: int, size: int = 32
) -> np.ndarray:
    """(V, C) softmax of the activations (N, C) pooled where the selection (N, C) is largest on the uniform grid."""
    grid = np.array([first + uniform_index(int(last - first), positions) for first, last in pairwise(offsets)])
    grid = grid.reshape(-1, positions).astype(np.int64)
    found = []
    for start in range(0, max(1, len(grid)), size):
        rows = torch.from_numpy(grid[start : start + size])
        found.append(pool(logits[rows], top_k(selection[rows], divisor)).softmax(dim=1).numpy())
    return np.concatenate(found)


def interpolated_rows(samples: Videos, videos: np.ndarray, positions: int) -> Batch:
    """Rows of the store left and right of each position, ``index`` and ``right`` (B, T), and the right one's weight."""
    parts = [interpolation(int(samples.lengths[v]), positions) for v in videos]
    left, right, weight = (np.array(column) for column in zip(*parts))
    first = samples.offsets[videos][:, None]
    return {
        "index": torch.from_numpy(first + left),
        "right": torch.from_numpy(first + right),
        "weight": torch.from_numpy(weight.astype(np.float32)),
    }


@torch.no_grad()
def interpolated_outputs(network: nn.Module, samples: Videos, positions: int, device: torch.device) -> list[np.ndarray]:
    """Outputs (V · T, ...) of a per-snippet network on features interpolated to T positions a video."""
    parts = []
    if not len(samples):
        return per_snippet(network, samples.rows, device)
    for video in range(len(samples)):
        features = as_tensor(samples.features(video)).to(device)
        left, right, weight = (torch.from_numpy(a).to(device) for a in interpolation(len(features), positions))
        rows = torch.lerp(features[left], features[right], weight.float()[:, None])
        parts.append([out.float().cpu().numpy() for out in network(rows)])
    return [np.concatenate(part) for part in zip(*parts)]


def fused(class_score: Tensor, actionness: Tensor, by: str, beta: float | Tensor) -> Tensor:
    """h (B, T, C): ``fused`` β·a + (1-β)·s, ``class`` s alone (ASL-s), ``actionness`` a for all classes (ASL-a)."""
    if by == "fused":
        return select(class_score, actionness, beta)
    if by == "class":
        return class_score
    return actionness.mean(dim=-1, keepdim=True).expand_as(class_score)
