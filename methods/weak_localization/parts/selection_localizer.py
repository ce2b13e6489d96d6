"""The inference that Action Selection Learning and plain top-k pooling share: thresholds on a selection probability."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from methods.networks.softmax import class_softmax
from methods.weak_localization.parts.base import WeakLocalization, as_tensor, looked_at, per_snippet
from methods.weak_localization.parts.distinct import once
from methods.weak_localization.parts.localize import Activation, NonMaximumSuppression
from methods.weak_localization.parts.networks import SnippetScores
from methods.weak_localization.parts.proposals import ProposalRule, Runs, propose, shown_classes
from methods.weak_localization.parts.sampling import interpolation, uniform_index
from methods.weak_localization.parts.selection import pool, select, top_k
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
        help="class score s in h; the signal that is thresholded",
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
    nms: Literal["hard", "decay", "none"] = hyper(
        "decay", choices=("hard", "decay", "none"), post=True, source="released scripts: --soft_nms"
    )
    nms_threshold: float = hyper(0.4, low=0.0, high=1.0, post=True, source="released code")
    nms_sigma: float = hyper(0.35, low=0.01, high=10.0, post=True, source="released code")
    nms_plus: float = hyper(1.0, low=0.0, high=10.0, post=True, source="released code: +1 second")

    def sampled(self, train: Videos, videos: np.ndarray, generator: np.random.Generator) -> Batch:
        if self.sampling == "index":
            return super().sampled(train, videos, generator)
        return interpolated_rows(train, videos, self.positions)

    def outputs(self, network: nn.Module, batch: Batch, run: Run) -> SnippetScores:
        """The network's outputs for a batch, (B, T, ...); each distinct snippet is computed once."""
        store = self.store(run)
        if self.sampling == "index":
            return once(network, store, batch["index"], self.workspace(run, batch["index"]))
        scores: SnippetScores = network(
            torch.lerp(store[batch["index"]], store[batch["right"]], batch["weight"][..., None])
        )
        return scores

    def outputs_of_split(self, network: nn.Module, samples: Videos, run: Run) -> tuple[SnippetScores, np.ndarray]:
        """The network's outputs (N, ...) at the positions looked at, and where videos begin among them (V + 1,).

        Computed once for the scores and the analyses of an evaluation point.
        """
        found: tuple[SnippetScores, np.ndarray] = run.once(
            "outputs", (network, samples), lambda: self._outputs_of_split(network, samples, run)
        )
        return found

    def _outputs_of_split(self, network: nn.Module, samples: Videos, run: Run) -> tuple[SnippetScores, np.ndarray]:
        if self.sampling == "index":
            wanted, offsets = looked_at(samples, self.positions)
            found = per_snippet(network, samples.rows, run.device, wanted)
        else:
            offsets = np.arange(len(samples) + 1) * self.positions
            found = interpolated_outputs(network, samples, self.positions, run.device)
        return SnippetScores(*map(torch.from_numpy, found)), offsets

    def score(self, network: nn.Module, samples: Videos, run: Run) -> Scores:
        outputs, offsets = self.outputs_of_split(network, samples, run)
        probability = video_probability(
            outputs.logits, self.selection(outputs, run), offsets, self.positions, self.divisor
        )
        kept = {"class_score": self.class_scores(outputs, run), "actionness": mean_actionness(outputs)}
        return {"offsets": offsets, "probability": probability, **{k: v.numpy() for k, v in kept.items()}}

    def class_scores(self, scores: SnippetScores, run: Run | None, form: str = "") -> Tensor:
        """s (..., C) in the ``form`` that is asked for, by default :attr:`class_score`."""
        form = form or self.class_score
        if run is None:
            return class_score(scores.logits, form)
        found: Tensor = run.once(f"class score, {form}", (scores.logits,), lambda: class_score(scores.logits, form))
        return found

    def selection(self, scores: SnippetScores, run: Run | None = None) -> Tensor:
        """h (..., C) by which positions are pooled in inference, and in training unless :meth:`training_selection`."""
        raise TypeError(f"{self.name} selects nothing: implement selection().")

    def training_selection(self, scores: SnippetScores, run: Run) -> Tensor:
        """h (..., C) by which positions are chosen in a training step."""
        return self.selection(scores, run)

    def signal(self, class_score: np.ndarray, actionness: np.ndarray) -> np.ndarray:
        """(T, K) what is thresholded in one video; depends on post-processing parameters only."""
        return class_score

    def shown(self, probability: np.ndarray) -> np.ndarray:
        """(V, C) bool, the classes that each video localizes; ``probability`` (V, C)."""
        return shown_classes(probability, self.class_threshold)

    def places(self, length: int) -> np.ndarray:
        """(T,) which of the ``length`` positions looked at in a video are thresholded, in order."""
        return uniform_index(length, self.positions)

    def activations(self, scores: Scores, samples: Videos) -> Iterator[Activation]:
        shown = self.shown(scores["probability"])
        for video, probability in enumerate(scores["probability"]):
            first, last = scores["offsets"][video : video + 2]
            rows = first + self.places(int(last - first))
            classes = np.flatnonzero(shown[video])
            signal = self.signal(scores["class_score"][rows][:, classes], scores["actionness"][rows])
            yield Activation(classes, probability[classes], np.asarray(signal, dtype=np.float64))

    def propose(self, signal: np.ndarray, probability: float, rank: np.ndarray) -> Runs:
        levels = _levels(self.threshold_low, self.threshold_high, self.thresholds)
        return propose(signal, probability, ProposalRule(levels, self.outer, self.class_weight, self.strict))

    def suppression(self) -> NonMaximumSuppression:
        return NonMaximumSuppression(self.nms, self.nms_threshold, self.nms_sigma, self.nms_plus)

    chooses: ClassVar[str] = "class_threshold"


@cache
def _levels(low: float, high: float, count: int) -> tuple[float, ...]:
    """The thresholds, which every signal of a split asks for."""
    return tuple(np.linspace(low, high, count))


def video_probability(
    logits: Tensor, selection: Tensor, offsets: np.ndarray, positions: int, divisor: int, size: int = 32
) -> np.ndarray:
    """(V, C) softmax of the activations (N, C) pooled where the selection (N, C) is largest on the uniform grid."""
    grid, found = positions_of(offsets, positions), []
    for start in range(0, max(1, len(grid)), size):
        rows = torch.from_numpy(grid[start : start + size])
        found.append(pool(logits[rows], top_k(selection[rows], divisor)).softmax(dim=1).numpy())
    return np.concatenate(found)


def positions_of(offsets: np.ndarray, positions: int) -> np.ndarray:
    """(V, T) the uniform grid of each video among the positions looked at, those of video v from ``offsets[v]`` on."""
    grid = [first + uniform_index(int(last - first), positions) for first, last in pairwise(offsets)]
    return np.array(grid, dtype=np.int64).reshape(-1, positions)


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
    """Outputs (V · T, ...) of a per-snippet network on features interpolated to T positions per video."""
    parts = []
    if not len(samples):
        return per_snippet(network, samples.rows, device)
    for video in range(len(samples)):
        features = as_tensor(samples.features(video)).to(device)
        left, right, weight = (torch.from_numpy(a).to(device) for a in interpolation(len(features), positions))
        rows = torch.lerp(features[left], features[right], weight.float()[:, None])
        parts.append([out.float().cpu().numpy() for out in network(rows)])
    return [np.concatenate(part) for part in zip(*parts)]


def class_score(logits: Tensor, form: str) -> Tensor:
    """s (..., C) of raw activations: their ``softmax`` over classes, or the activations themselves (``cas``)."""
    return class_softmax(logits) if form == "softmax" else logits


def mean_actionness(scores: SnippetScores) -> Tensor:
    """a (..., 1), the mean over modalities."""
    return scores.actionness.mean(dim=-1, keepdim=True)


def fused(score: Tensor, actionness: Tensor, by: str, beta: float | Tensor) -> Tensor:
    """h (B, T, C): ``fused`` β·a + (1-β)·s, ``class`` s alone (ASL-s), ``actionness`` a for all classes (ASL-a)."""
    if by == "fused":
        return select(score, actionness, beta)
    if by == "class":
        return score
    return actionness.mean(dim=-1, keepdim=True).expand_as(score)
