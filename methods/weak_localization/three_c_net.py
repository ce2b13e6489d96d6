"""3C-Net (Narayan et al., ICCV 2019): category, centre and count loss on two modalities.

Category loss on each modality and on their learned sum, a centre loss that pulls the attended features of a class
together, and, where asked for, a loss on the number of instances of each class. Those numbers are more annotation than
video-level labels: without ``counts`` this is the weakly supervised part of the method, which is the default.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from methods.weak_localization.parts.base import as_tensor
from methods.weak_localization.parts.initialization import initialized
from methods.weak_localization.parts.padding import padded_features, padded_rows
from methods.weak_localization.parts.peak_localizer import PeakLocalizer, multiple_instance_loss
from methods.weak_localization.parts.three_c_losses import (
    CENTRE_FORMS,
    attended_features,
    centre_gradient,
    centre_loss,
    count_loss,
)
from methods.weak_localization.parts.three_c_network import STREAMS, ThreeCNetScores, ThreeCNetwork, counting_features
from suite.errors import UsageError
from suite.method import Batch, Losses, Presets, Run, Selection, Value, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

CENTRE_RATE = 0.1  # the released code moves centres by SGD at 0.1
LEAST_SNIPPETS = 5  # of a video that the category loss counts (released code)

# naraysa/3c-net@8b1d4a9: options.py, main.py, train.py; best of the test mAP every 500 iterations of 7 to an epoch.
PUBLISHED: dict[str, Value] = {
    "lr": 1e-4,
    "weight_decay": 5e-4,
    "batch": 32,
    "steps": 50_000,
    "evaluate_every": 71,
    "positions": 750,
    "long_positions": 2800,
    "hidden": 1024,
    "draw": "replacement",
    "initialization": "xavier",
    "centre_form": "released",
    "counts": True,
    "count_weight": 1.0,
    "detection_count": "floor",
    "shortest": 2,
}


class ThreeCNet(PeakLocalizer):
    """Category, centre and count loss on two modalities."""

    name = "3c-net"
    aliases = ("3cnet", "three-c-net")
    title = "3C-Net"
    paper = "Narayan et al., ICCV 2019"
    presets: ClassVar[Presets] = {
        "recommended": {},
        "published": PUBLISHED,
        "activitynet": {
            **PUBLISHED,
            "positions": 200,
            "long_positions": 400,
            "temporal": True,
            "count_weight": 0.1,
            "keep": "positive",
            "threshold": "zero",
        },
    }
    published_selection: ClassVar[Selection] = "oracle"

    hidden: int = hyper(1024, low=1, high=65_536, source="released code")
    dropout: float = hyper(0.7, low=0.0, high=0.95, source="released code")
    batch: int = hyper(32, low=1, high=4096, source="released code")
    long_positions: int = hyper(
        2800,
        low=1,
        high=100_000,
        source="released code: 2800 (ActivityNet: 400)",
        help="longest crop in every second step, when instances are counted",
    )
    temporal: bool = hyper(False, source="released code: for ActivityNet", help="convolution over time, 13 wide")
    centre_weight: float = hyper(1e-3, low=0.0, high=1.0, symbol="α", packed=True, source="§4.1")
    centre_form: str = hyper(
        "mean", choices=CENTRE_FORMS, source="released code multiplies distances by the class index, divides by N twice"
    )
    single_steps: int = hyper(
        5000, low=0, high=10_000_000, source="released code", help="steps with centres of one-class videos only"
    )
    counts: bool = hyper(
        False, source="§3.3; released code: yes", help="learn from numbers of instances, which are extra annotation"
    )
    count_weight: float = hyper(1.0, low=0.0, high=10.0, source="released code: 1 (ActivityNet: .1)")
    absent_weight: float = hyper(1e-3, low=0.0, high=1.0, source="released code", help="weight of absent classes")
    keep: str = hyper(
        "half",
        choices=("half", "positive"),
        post=True,
        source="released code: half (ActivityNet: positive)",
        help="classes above 0 are localized; half: and above half the best score",
    )
    threshold: str = hyper(
        "middle",
        choices=("middle", "zero"),
        post=True,
        source="released code: middle (ActivityNet: zero)",
        help="what activations must exceed: the middle of their range, or 0",
    )

    # Training ---------------------------------------------------------------------------------------------------

    def network(self, data: TaskData[Videos]) -> nn.Module:
        width, classes = data.train.rows.shape[1], len(data.classes)
        network = ThreeCNetwork(width, self.hidden, classes, self.dropout, self.temporal)
        return initialized(network, self.initialization)

    def begin(self, run: Run) -> None:
        classes = len(run.data.classes)
        run.memory["centres"] = torch.randn(STREAMS, classes, self.hidden, device=run.device)
        if self.counts and not len(run.data.train.known_segments()):
            raise UsageError(f"{run.data.name} knows no instance of its training videos; give 3c-net counts=false.")

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        """As many batches as cover the training set once; every second one has longer crops."""
        train, first = run.data.train, run.step
        order = generator.permutation(len(train))
        for step, start in enumerate(range(0, len(order), self.batch), start=first):
            videos = order[start : start + self.batch]
            if self.draw == "replacement":
                videos = generator.integers(len(train), size=self.batch)
            limit = self.long_positions if counts_at(step) else self.positions
            yield {"video": torch.from_numpy(videos), **padded_rows(train, videos, limit, generator)}

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        scores: ThreeCNetScores = network(padded_features(self.store(run), batch))
        labels, lengths = self.labels(run, batch), batch["length"]
        views = {"fused": scores.activation, "rgb": scores.streams[..., 0, :], "flow": scores.streams[..., 1, :]}
        counted = (lengths >= LEAST_SNIPPETS) & (labels.sum(dim=1) > 0)
        parts: Losses = {
            f"category_{name}": multiple_instance_loss(view, lengths, labels, self.divisor, counted)
            for name, view in views.items()
        }
        parts["centre"] = self.centre_part(scores, labels, lengths, run)
        if self.counts:
            found = counting_features(scores.activation, lengths)
            instances = self.instances(run)[batch["video"]]
            weight = self.count_weight if counts_at(run.step) else 0.0
            parts["count"] = weight * count_loss(found, instances, lengths, self.absent_weight)
        return parts

    def centre_part(self, scores: ThreeCNetScores, labels: Tensor, lengths: Tensor, run: Run) -> Tensor:
        """The weighted centre loss; how far centres move after this step is left in ``run.memory``."""
        features = attended_features(scores.streams, scores.embedding, lengths)
        if run.step < self.single_steps:
            labels = labels * (labels.sum(dim=1, keepdim=True) == 1)
        if run.step == 0:  # as released, the first step has no centre loss
            labels = torch.zeros_like(labels)
        centres = run.memory["centres"]
        run.memory["centre_gradient"] = centre_gradient(features, centres, labels, self.centre_form)
        return self.centre_weight * centre_loss(features, centres, labels, self.centre_form)

    def after_step(self, run: Run) -> None:
        """Move the centres by gradient descent on the centre loss without its weight."""
        run.memory["centres"] = run.memory["centres"] - CENTRE_RATE * run.memory["centre_gradient"]

    def instances(self, run: Run) -> Tensor:
        """(V, C) number of annotated instances of each class in each training video."""
        train, known = run.data.train, run.data.train.known_segments()
        counts = np.zeros((len(train), len(run.data.classes)), dtype=np.float32)
        np.add.at(counts, (known.video, known.label), 1)
        return run.resident("instances", counts)

    # Inference --------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def activation_rows(self, network: nn.Module, samples: Videos, run: Run) -> np.ndarray:
        if not self.temporal:
            return super().activation_rows(network, samples, run)
        found = [np.zeros((0, len(run.data.classes)), dtype=np.float32)]
        for video in range(len(samples)):
            scores: ThreeCNetScores = network(as_tensor(samples.features(video)).to(run.device)[None])
            found.append(scores.activation[0].float().cpu().numpy())
        return np.concatenate(found)

    def kept(self, scores: np.ndarray, length: int) -> np.ndarray:
        least = max(0.0, float(scores.max()) / 2) if self.keep == "half" else 0.0
        return np.flatnonzero(scores > least)

    def cut(self, signal: np.ndarray) -> float:
        return super().cut(signal) if self.threshold == "middle" else 0.0


def counts_at(step: int) -> bool:
    """Whether the released code counts instances in this 0-based step: in every second one, after the first."""
    return step > 0 and step % 2 == 0
