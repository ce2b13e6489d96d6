"""SPOT: proposal-free masks, a class and a mask over the whole window for every snippet.

Source: Nag et al., "Semi-Supervised Temporal Action Detection with Proposal-Free Masking", ECCV 2022. This follows the
paper: the released code never optimizes its loss on pseudo-labels, takes classes from a classifier trained on all video
labels and evaluates on a subset, and is not followed there. First masked features are rebuilt on all videos, then
labelled windows and the network's own confident snippets and masks are learnt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.networks.actionformer.model import sinusoid_table
from methods.semi_localization.parts.base import SemiLocalization, labelled_rows
from methods.semi_localization.parts.batches import endless
from methods.semi_localization.parts.windows import Windows
from suite.data.samples import TaskData, Videos
from suite.evaluate.segments import Segments
from suite.evaluate.suppression import best_rows, soft_nms, video_class_groups
from suite.method import Batch, Losses, Phase, Run, Scores, Value, hyper

COLUMNS = ("video", "label", "start", "end", "score")
MASK_THRESHOLDS = np.linspace(0.2, 0.8, 4)  # §4: the released code's, without the empty one


class MaskNetwork(nn.Module):
    """Self-attention over a window, then class probabilities of each snippet and its mask over the window.

    A mask names absolute cells, so the embedding gains a table of positions (the paper does not speak of one).
    """

    positions: Tensor

    def __init__(self, inputs: int, width: int, heads: int, length: int, classes: int) -> None:
        super().__init__()
        self.embed = nn.Linear(inputs, width)
        self.register_buffer("positions", sinusoid_table(length, width) * width**0.5, persistent=False)
        self.attend = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.classify = nn.Linear(width, classes + 1)  # the last one is background
        self.mask = nn.Sequential(nn.Conv1d(width, width, 3, padding=1), nn.ReLU(), nn.Conv1d(width, length, 1))
        self.rebuild = nn.Linear(width, inputs)

    def features(self, windows: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, width)."""
        embedded = self.embed(windows) + self.positions
        mixed: Tensor = self.norm(embedded + self.attend(embedded, embedded, embedded, need_weights=False)[0])
        return mixed

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, D) -> class logits (B, T, C + 1) and mask logits (B, T, T): row t is the mask of snippet t."""
        features = self.features(windows)
        return self.classify(features), self.mask(features.transpose(1, 2)).transpose(1, 2)


def snippet_targets(
    segments: np.ndarray, labels: np.ndarray, length: int, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Class of each snippet (T,), ``classes`` for background, and the mask (T, T) of the instance that it lies in.

    Of several instances the shortest counts.
    """
    centre = np.arange(length) + 0.5
    label, mask = np.full(length, classes), np.zeros((length, length), dtype=np.float32)
    for row in np.argsort(segments[:, 0] - segments[:, 1], kind="stable"):
        inside = (centre >= segments[row, 0]) & (centre <= segments[row, 1])
        label[inside] = labels[row]
        mask[inside] = inside
    return label, mask


def class_loss(logits: Tensor, label: Tensor, taken: Tensor | None = None, gamma: float = 2.0) -> Tensor:
    """Focal cross entropy over the snippets ``taken`` (B, T) bool (all), foreground and background weighted alike."""
    log_p = logits.log_softmax(2)
    own = log_p.gather(2, label[:, :, None])[:, :, 0]
    focal = -((1 - own.exp()) ** gamma) * own
    foreground = label < logits.shape[2] - 1
    kept = torch.ones_like(foreground) if taken is None else taken
    sides = [(focal * side).sum() / side.sum().clamp(min=1) for side in (foreground & kept, ~foreground & kept)]
    return (sides[0] + sides[1]) / 2


def mask_loss(logits: Tensor, mask: Tensor, rows: Tensor) -> Tensor:
    """0.4 balanced cross entropy plus 0.6 Dice of the masks (B, T, T) of the snippets ``rows`` (B, T) bool."""
    if not bool(rows.any()):
        return logits.sum() * 0
    found, target = logits[rows], mask[rows]
    share = target.mean().clamp(0.01, 0.99)
    weight = torch.where(target > 0.5, 0.5 / share, 0.5 / (1 - share))
    entropy = F.binary_cross_entropy_with_logits(found, target, weight=weight)
    probability = found.sigmoid()
    overlap = 2 * (probability * target).sum(1) + 1
    dice = 1 - overlap / (probability.square().sum(1) + target.square().sum(1) + 1)
    return 0.4 * entropy + 0.6 * dice.mean()


def mask_segments(mask: np.ndarray, snippet: int) -> list[tuple[int, int]]:
    """For each threshold the run of cells above it around ``snippet``: (first, behind the last), without repeats."""
    found: dict[tuple[int, int], None] = {}
    for threshold in MASK_THRESHOLDS:
        above = mask >= threshold
        if not above[snippet]:
            break
        left = np.flatnonzero(~above[:snippet])
        right = np.flatnonzero(~above[snippet:])
        found[(int(left[-1]) + 1 if len(left) else 0, snippet + int(right[0]) if len(right) else len(mask))] = None
    return list(found)


class SPOT(SemiLocalization):
    """Masks instead of proposals, learnt from labels and from the network's own confident snippets."""

    name = "spot"
    title = "SPOT (from the paper)"
    paper = "Nag et al., Semi-Supervised Temporal Action Detection with Proposal-Free Masking, ECCV 2022"
    presets: ClassVar[Mapping[str, Mapping[str, Value]]] = {
        "paper": {},
        "small": {
            "length": 64,
            "width": 64,
            "batch": 8,
            "lr": 1e-3,
            "steps": 300,
            "semi_steps": 300,
            "evaluate_steps": 100,
        },
    }

    lr: float = hyper(4e-4, low=1e-8, high=1.0, log=True, source="released code")
    weight_decay: float = hyper(0.005, low=0.0, high=1.0, source="released code")
    batch: int = hyper(100, low=1, high=4096, source="released code", help="labelled windows a step")
    epochs: int = hyper(30, low=1, high=100_000, source="released code", help="of pre-training if published")
    semi_epochs: int = hyper(25, low=1, high=100_000, source="released code", help="of joint training if published")
    length: int = hyper(100, low=8, high=1024, symbol="T", source="§4", help="cells of a window")
    resize: bool = hyper(False, source="§4, ActivityNet: true", help="stretch every video to one window")
    width: int = hyper(256, low=8, high=4096, source="released code: the attention's width")
    heads: int = hyper(4, low=1, high=64, source="released code")
    alpha: float = hyper(1.0, low=0.0, high=100.0, help="weight of the loss on pseudo-labels")
    every_class: bool = hyper(False, source="§3.3: true", help="learn from arg-max classes however unsure they are")
    ramp: float = hyper(0.5, low=0.0, high=1.0, help="share of the joint steps in which that weight grows from 0")
    sure: float = hyper(0.7, low=0.0, high=1.0, source="released code", help="mask or class probability taken as true")
    masked: float = hyper(0.2, low=0.01, high=0.9, help="share of the cells to rebuild in pre-training")
    top_snippets: int = hyper(40, low=1, high=1024, source="released code: 10", help="snippets that speak a window")
    nms_sigma: float = hyper(0.3, low=0.01, high=10.0, symbol="σ", post=True, help="of soft suppression")
    min_score: float = hyper(1e-3, low=0.0, high=1.0, post=True, help="below it a segment is dropped")
    max_segments: int = hyper(200, low=1, high=100_000, post=True, help="segments a video")

    def phases(self, data: TaskData[Videos]) -> Sequence[Phase]:
        first = self.supervised_phase(data, "rebuilding", self.labelled_steps(data), select=False)
        second = self.supervised_phase(data, "joint", self.unlabelled_steps(data))
        return [replace(first, trainable=("embed", "attend", "norm", "rebuild")), second]

    def network(self, data: TaskData[Videos]) -> nn.Module:
        return MaskNetwork(data.train.rows.shape[1], self.width, self.heads, self.length, len(data.classes))

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        train = run.data.train
        everything = Windows.over(train, np.arange(len(train)), self.length, self.resize)
        known = train.known_segments()
        labelled = np.flatnonzero(np.isin(everything.video, labelled_rows(run.data)))
        others = np.flatnonzero(~np.isin(everything.video, labelled_rows(run.data)))
        if run.phase_index == 0:
            for rows in islice(endless(np.arange(len(everything)), self.batch, generator), self.evaluate_steps):
                hidden = torch.from_numpy(generator.random((len(rows), self.length)) < self.masked)
                yield {"features": self._features(everything, rows), "hidden": hidden}
            return
        rest = endless(others, self.batch, generator) if len(others) else None
        for rows in islice(endless(labelled, self.batch, generator), self.evaluate_steps):
            batch: Batch = {"labelled": self._labelled(everything, rows, known, len(run.data.classes))}
            if rest is not None:
                batch["unlabelled"] = {"features": self._features(everything, next(rest))}
            yield batch

    @staticmethod
    def _features(windows: Windows, rows: np.ndarray) -> Tensor:
        return torch.from_numpy(np.stack([windows.features(int(row)) for row in rows]))

    def _labelled(self, windows: Windows, rows: np.ndarray, known: Segments, classes: int) -> Batch:
        targets = [snippet_targets(*windows.segments(int(row), known), self.length, classes) for row in rows]
        labels, masks = (torch.from_numpy(np.stack(part)) for part in zip(*targets, strict=True))
        return {"features": self._features(windows, rows), "label": labels, "mask": masks}

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        assert isinstance(network, MaskNetwork)
        if "hidden" in batch:
            kept = batch["features"] * ~batch["hidden"][:, :, None]
            rebuilt = network.rebuild(network.features(kept))[batch["hidden"]]
            return {"rebuilding": F.mse_loss(rebuilt, batch["features"][batch["hidden"]])}
        part = batch["labelled"]
        classes, masks = network(part["features"])
        foreground = part["label"] < classes.shape[2] - 1
        losses = {"class": 0.5 * class_loss(classes, part["label"]), "mask": mask_loss(masks, part["mask"], foreground)}
        if "unlabelled" in batch:
            guessed, outlined = network(batch["unlabelled"]["features"])
            losses |= self._pseudo(guessed, outlined, self.pseudo_weight(run))
        return losses

    def pseudo_weight(self, run: Run) -> float:
        """``alpha``, reached in a straight line over the first ``ramp`` of the joint phase."""
        total = self.ramp * (run.phase.steps or run.phase.epochs * self.evaluate_steps)
        return self.alpha * min(1.0, run.step / total if total > 0 else 1.0)

    def _pseudo(self, classes: Tensor, masks: Tensor, weight: float) -> Losses:
        """The same losses against the network's own classes and masks above ``sure``, held fixed.

        The paper takes every arg-max class; a snippet whose class is less than ``sure`` is left out here unless
        ``every_class``, since otherwise early mistakes feed themselves.
        """
        best, label = classes.detach().softmax(2).max(2)
        target = (masks.detach().sigmoid() >= self.sure).to(masks.dtype)
        trusted = torch.ones_like(best, dtype=torch.bool) if self.every_class else best >= self.sure
        foreground = (label < classes.shape[2] - 1) & (target.sum(2) > 0) & trusted
        return {
            "pseudo_class": weight * 0.5 * class_loss(classes, label, trusted),
            "pseudo_mask": weight * mask_loss(masks, target, foreground),
        }

    def score(self, network: nn.Module, samples: Videos, run: Run) -> Scores:
        parts = [self._segments(network, samples, row, run) for row in range(len(samples))]
        found = Segments.concatenate([Segments.empty(scored=True), *parts])
        return {name: np.asarray(getattr(found, name)) for name in COLUMNS}

    def _segments(self, network: nn.Module, videos: Videos, row: int, run: Run) -> Segments:
        windows = Windows.over(videos, np.array([row]), self.length, self.resize)
        classes, masks = network(self._features(windows, np.arange(len(windows))).to(run.device))
        probability = classes.float().softmax(2)[:, :, :-1].cpu().numpy()
        mask = masks.float().sigmoid().cpu().numpy()
        rows = []
        for window in range(len(windows)):
            start, cell = windows.edges(window)
            best = probability[window].max(1)
            for snippet in np.argsort(-best, kind="stable")[: self.top_snippets]:
                label = int(probability[window, snippet].argmax())
                for first, last in mask_segments(mask[window, snippet], int(snippet)):
                    score = best[snippet] * mask[window, snippet, first:last].mean()
                    rows.append((row, label, start + first * cell, start + last * cell, score))
        columns = np.array(rows).reshape(-1, 5).T
        limit = float(videos.duration[row])
        start, end = np.clip(columns[2:4], 0.0, limit)
        return Segments(columns[0].astype(np.int64), columns[1].astype(np.int64), start, end, columns[4])

    def decode(self, scores: Scores, samples: Videos) -> Segments:
        found = Segments(*(scores[name] for name in COLUMNS))
        group = video_class_groups(found.video, found.label)
        rows, values = soft_nms(
            found.start, found.end, scores["score"], sigma=self.nms_sigma, min_score=self.min_score, group=group
        )
        best = best_rows(values, self.max_segments, found.video[rows])
        return replace(found.take(rows[best]), score=values[best])
