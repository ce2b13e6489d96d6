"""CMCS: completeness modelling and context separation (Liu, Jiang and Wang, CVPR 2019), after its released code.

Several branches must find different parts of an action; still clips of the training videos teach what background is.
The released still clips come from optical flow; see :mod:`methods.weak_localization.parts.still_clips`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from methods.networks.softmax import class_softmax
from methods.weak_localization.parts.base import as_tensor
from methods.weak_localization.parts.branch_network import BranchShape, FusedBranches, diversity_loss, norm_loss
from methods.weak_localization.parts.dilated_runs import context_contrast, dilated
from methods.weak_localization.parts.localize import Activation
from methods.weak_localization.parts.padding import padded_features
from methods.weak_localization.parts.proposals import Runs, chosen_classes, runs_above
from methods.weak_localization.parts.stepwise import Stepwise
from methods.weak_localization.parts.still_clips import still_clips
from suite.evaluate.scoring.pool import Pool
from suite.evaluate.segments import Segments
from suite.method import Batch, Losses, Phase, Presets, Run, Schedule, Scores, Selection, Value, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

# Finspire13/CMCS-Temporal-Action-Localization@d03f480: configs/thumos-I3D.json, train.py, detect.py; the last step.
PUBLISHED: dict[str, Value] = {
    "lr": 1e-4,
    "weight_decay": 1e-3,
    "batch": 24,
    "steps": 15_000,
    "evaluate_every": 50,
    "hidden": 32,
    "branch_hidden": 16,
    "dropout": 0.5,
    "negatives": "still",
    "fusion": "late",
    "fallback": False,
    "lose_left": True,
    "scale": 16,
}


class CMCS(Stepwise):
    """Branches that differ find actions whole; still clips tell their context apart."""

    name = "cmcs"
    title = "CMCS"
    paper = "Liu et al., CVPR 2019"
    presets: ClassVar[Presets] = {
        "recommended": {},
        "published": PUBLISHED,
        "activitynet": {
            **PUBLISHED,
            "lr": 1e-3,
            "rate_falls": True,
            "weight_decay": 1e-4,
            "batch": 32,
            "steps": 20_000,
            "hidden": 256,
            "branch_hidden": 128,
            "threshold": 1e-7,
        },
        "small": {"lr": 3e-3, "epochs": 60, "evaluate_every": 10},
    }
    published_selection: ClassVar[Selection] = "last"

    weight_decay: float = hyper(1e-3, low=0.0, high=1.0, packed=True, source="released code")
    batch: int = hyper(24, low=1, high=4096, source="released code", help="examples a step; their losses are summed")
    epochs: int = hyper(1600, low=1, high=100_000, source="released code: 15,000 steps of 24 of about 220 examples")
    evaluate_every: int = hyper(50, low=1, high=10_000, source="released code: every 500 steps", help="epochs")
    rate_falls: bool = hyper(
        False, source="released code, ActivityNet-1.2: yes", help="a tenth of the rate from half of the training on"
    )
    hidden: int = hyper(32, low=1, high=65_536, source="released code: 32 (ActivityNet-1.2: 256)")
    branch_hidden: int = hyper(16, low=1, high=65_536, source="released code: 16 (ActivityNet-1.2: 128)")
    branches: int = hyper(4, low=1, high=64, symbol="K", source="§4.2; released code")
    dropout: float = hyper(0.5, low=0.0, high=0.95, source="released code: .5 (UNT: .8)", help="of whole channels")
    diversity: float = hyper(
        0.2, low=0.0, high=10.0, packed=True, source="released code", help="weight of diversity and norm loss"
    )
    pooling: str = hyper("attention", choices=("attention", "max"), source="§3.2: attention", help="snippets to videos")
    fusion: str = hyper(
        "late",
        choices=("late", "early"),
        source="the paper's I3D results: late, say the authors",
        help="a network for each modality, scores averaged; or one for both",
    )
    negatives: str = hyper(
        "still",
        choices=("still", "none"),
        source="§3.3: static clips by optical flow",
        help="still clips of training videos are background; or there are no such examples",
    )
    still_share: float = hyper(
        0.25,
        low=0.0,
        high=1.0,
        source="released code, ActivityNet: 25 %",
        help="quantile of change below which is still",
    )
    still_low: float = hyper(
        0.05, low=0.0, high=1.0, source="released code", help="least share of a video's still clips"
    )
    still_high: float = hyper(0.3, low=0.0, high=1.0, source="released code", help="largest share of them")
    class_threshold: float = hyper(0.1, low=0.0, high=1.0, post=True, source="released code")
    fallback: bool = hyper(
        True, post=True, source="released code: no", help="the best class where none exceeds the threshold"
    )
    metric: str = hyper(
        "score",
        choices=("score", "attention"),
        post=True,
        source="released code: score",
        help="signal: class probability, or that times attention",
    )
    threshold: float = hyper(
        1.0, low=0.0, high=100.0, post=True, source="released code: 1 (ActivityNet-1.2: 1e-7)", help="of the signal"
    )
    relative: bool = hyper(True, post=True, source="released code", help="threshold in units of the signal's mean")
    dilation: float = hyper(1.25, low=0.0, high=100.0, post=True, source="released code", help="snippets, in all")
    class_weight: float = hyper(0.25, low=0.0, high=10.0, post=True, source="released code", help="in a run's score")
    lose_left: bool = hyper(
        False, post=True, source="released code: yes", help="no left context where it would begin before the video"
    )
    scale: int = hyper(16, low=1, high=1000, post=True, source="released code: frames", help="points a snippet")
    nms: Literal["hard", "decay", "none"] = hyper(
        "none", choices=("hard", "decay", "none"), post=True, source="released code: none"
    )

    # Training ---------------------------------------------------------------------------------------------------

    def phases(self, data: TaskData[Videos]) -> Sequence[Phase]:
        (phase,) = super().phases(data)
        if not self.rate_falls:
            return [phase]
        per_epoch = max(1, -(-len(self.examples(data.train)[0]) // self.batch))
        half = (phase.steps / per_epoch if phase.steps else phase.epochs) / 2
        return [replace(phase, schedule=Schedule("step", milestones=(half,), gamma=0.1))]

    def network(self, data: TaskData[Videos]) -> nn.Module:
        shape = BranchShape(
            self.hidden, self.branch_hidden, len(data.classes), self.branches, self.dropout, self.pooling == "attention"
        )
        return FusedBranches(data.train.rows.shape[1], self.fusion, shape)

    def begin(self, run: Run) -> None:
        run.memory["still"] = torch.from_numpy(self.still(run.data.train))

    def still(self, train: Videos) -> np.ndarray:
        """(ΣL,) bool, which training snippets are examples of background."""
        if self.negatives == "none":
            return np.zeros(len(train.rows), dtype=bool)
        return still_clips(train, self.still_share, self.still_low, self.still_high)

    def examples(self, train: Videos, still: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Video and label (E,) of each example: a video once for each of its classes, its still clips as class C."""
        video, label = np.nonzero(train.video_labels)
        still = self.still(train) if still is None else still
        owners = np.unique(np.searchsorted(train.offsets, np.flatnonzero(still), side="right") - 1)
        background = np.full(len(owners), train.video_labels.shape[1])
        return np.concatenate([video, owners]), np.concatenate([label, background])

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        """Videos at their own lengths; ``label`` (B,), ``weight`` (B,) and the ``examples`` (B,) of the whole batch."""
        train, still = run.data.train, run.memory["still"].cpu().numpy()
        videos, labels = self.examples(train, still)
        classes, shown = train.video_labels.shape[1], train.video_labels.sum(axis=1)
        order = generator.permutation(len(videos))
        for start in range(0, len(order), self.batch):
            chosen = order[start : start + self.batch]
            rows = [
                train.offsets[v] + np.arange(train.lengths[v])
                if c < classes
                else train.offsets[v] + np.flatnonzero(still[train.offsets[v] : train.offsets[v + 1]])
                for v, c in zip(videos[chosen], labels[chosen])
            ]
            weight = np.where(labels[chosen] < classes, 1 / shown[videos[chosen]].clip(min=1), 1.0)
            yield {
                "video": torch.from_numpy(videos[chosen]),
                "label": torch.from_numpy(labels[chosen]),
                "weight": torch.from_numpy(weight.astype(np.float32)),
                "examples": torch.full((len(chosen),), len(chosen)),
                **padded(rows),
            }

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        """Sums over the batch, as released, which adds up the gradients of single videos."""
        features, lengths, weight = padded_features(self.store(run), batch), batch["length"], batch["weight"]
        parts = {name: weight.new_zeros(()) for name in ("classification", "diversity", "norm")}
        for scores, pooled in network(features, lengths):
            single = {
                "classification": F.cross_entropy(pooled, batch["label"], reduction="none"),
                "diversity": self.diversity * diversity_loss(scores.branches, lengths),
                "norm": self.diversity * norm_loss(scores.branches, lengths),
            }
            for name, value in single.items():
                parts[name] = parts[name] + (weight * value).mean() * batch["examples"][0]
        return parts

    # Scores -----------------------------------------------------------------------------------------------------

    def score(self, network: nn.Module, samples: Videos, run: Run) -> Scores:
        """Of every snippet class probabilities ``class_score`` (ΣL, C) and ``attention`` (ΣL,); ``probability`` (V, C).

        Modalities are averaged before the softmax over C + 1 classes.
        """
        classes = len(run.data.classes)
        found: list[tuple[Tensor, ...]] = [(torch.zeros(0, classes), torch.zeros(0), torch.zeros(0, classes))]
        for video in range(len(samples)):
            features = as_tensor(samples.features(video)).to(run.device)[None]
            parts = network(features, torch.tensor([features.shape[1]], device=run.device))
            average = torch.stack([scores.average for scores, _ in parts]).mean(dim=0)[0]
            attention = torch.stack([scores.attention for scores, _ in parts]).mean(dim=0)[0]
            pooled = torch.stack([pooled for _, pooled in parts]).mean(dim=0)
            views = (class_softmax(average)[:, :classes], attention, class_softmax(pooled)[:, :classes])
            found.append(tuple(view.float().cpu() for view in views))
        names = ("class_score", "attention", "probability")
        return {name: torch.cat(column).numpy() for name, column in zip(names, zip(*found))}

    # Inference --------------------------------------------------------------------------------------------------

    def activations(self, scores: Scores, samples: Videos) -> Iterator[Activation]:
        least = np.nextafter(self.class_threshold, np.inf)  # the released code compares strictly
        for video, probability in enumerate(scores["probability"]):
            own = slice(samples.offsets[video], samples.offsets[video + 1])
            classes = chosen_classes(probability, least, self.fallback)
            signal = scores["class_score"][own, classes].astype(np.float64)
            if self.metric == "attention":
                signal = signal * scores["attention"][own, None]
            yield Activation(classes, probability[classes], of_its_range(signal))

    def propose(self, signal: np.ndarray, probability: float, rank: np.ndarray) -> Runs:
        inner = signal[: len(signal) - self.scale + 1]  # the released code ends where the last snippet begins
        active = inner > self.threshold * (inner.mean() if self.relative else 1.0)
        first, last = runs_above(dilated(active, int(self.dilation * self.scale)), first_alone=True)
        score = context_contrast(inner, first, last, self.lose_left) + self.class_weight * probability
        return Runs(first, last, score)

    def decode(self, scores: Scores, samples: Videos) -> Segments:
        return clipped(super().decode(scores, samples), samples)

    def pool(self, scores: Scores, samples: Videos) -> Pool:
        found = self.proposals(scores, samples)
        return Pool(clipped(found, samples), found.start, found.end)


def clipped(found: Segments, samples: Videos) -> Segments:
    """Segments cut to their videos."""
    limit = samples.duration[found.video]
    return replace(found, start=np.clip(found.start, 0.0, limit), end=np.clip(found.end, 0.0, limit))


def padded(rows: list[np.ndarray]) -> dict[str, Tensor]:
    """``index`` (B, T) of the ``rows`` of each example, the last one repeated to the longest; ``length`` (B,)."""
    length = np.array([len(own) for own in rows])
    index = np.array([np.pad(own, (0, length.max() - len(own)), mode="edge") for own in rows])
    return {"index": torch.from_numpy(index), "length": torch.from_numpy(length)}


def of_its_range(signal: np.ndarray) -> np.ndarray:
    """Each channel of (T, K) scaled to [0, 1]; a constant one is 0 and proposes nothing."""
    span = np.ptp(signal, axis=0)
    return np.asarray((signal - signal.min(axis=0)) / np.where(span == 0, 1.0, span))
