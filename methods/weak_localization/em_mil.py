"""EM-MIL (Luo et al., ECCV 2020): key snippets and their classes, each learned from the other's guess.

Released inference makes one cut through each class's signal and needs a classifier of whole videos, which is trained
apart; ours scores videos by the class network's best positions and makes proposals at many thresholds, scored by
outer-inner contrast.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from methods.weak_localization.parts.base import as_tensor, grid_batches, uniform_grid
from methods.weak_localization.parts.em_network import EMNetwork, EMScores, video_loss
from methods.weak_localization.parts.padding import masked_mean, padded_features, padded_rows, time_mask
from methods.weak_localization.parts.proposals import Runs, runs_above, shown_classes
from methods.weak_localization.parts.selection_localizer import SelectionLocalizer
from suite.method import Batch, Losses, Optimizer, Phase, Presets, Run, Scores, Selection, Value, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos


def key_target(label: Tensor, lengths: Tensor, video_labels: Tensor) -> Tensor:
    """E step (eq. 6): a position is key (B, T) where a class of the video exceeds its own mean over time.

    ``label`` (B, T, C) is the mean of both modalities: one target teaches both.
    """
    above = label > masked_mean(label, lengths)[:, None]
    return (above & (video_labels[:, None] > 0)).any(dim=-1).to(label.dtype)


def label_target(key: Tensor, lengths: Tensor, video_labels: Tensor, margin: float) -> Tensor:
    """M step (eq. 5): the video's classes (B, T, C) where ``key`` (B, T) exceeds its mean by ``margin`` of its range.

    ``key`` is the mean of both modalities: one target teaches both.
    """
    valid = time_mask(lengths, key.shape[1])
    high = key.masked_fill(~valid, -torch.inf).amax(dim=1, keepdim=True)
    low = key.masked_fill(~valid, torch.inf).amin(dim=1, keepdim=True)
    chosen = key > masked_mean(key, lengths)[:, None] + margin * (high - low)
    return chosen.to(key.dtype)[..., None] * video_labels[:, None]


def stream_entropy(probability: Tensor, target: Tensor, lengths: Tensor, counted: Tensor) -> Tensor:
    """Binary cross entropy of both modalities against one target: mean over time, summed over modalities and classes.

    ``probability`` (B, T, 2, ...), ``target`` (B, T, ...). Mean over the ``counted`` (B,) videos; zero without any.
    """
    target = target.unsqueeze(2).expand_as(probability)
    entropy = masked_mean(F.binary_cross_entropy(probability, target, reduction="none"), lengths)
    return (entropy.flatten(1).sum(dim=1) * counted).sum() / counted.sum().clamp(min=1)


# airmachine/EM-MIL@5c8fb59: main.py, opts.py, test.py; weights of the last epoch.
PUBLISHED: dict[str, Value] = {
    "lr": 1e-4,
    "rate_factor": 4.0,
    "weight_decay": 0.0,
    "batch": 1,
    "epochs": 65,
    "stage_epochs": 10,
    "sampling": "native",
    "hidden": 256,
    "margin": 0.15,
    "key_weight": 0.8,
    "label_weight": 0.8,
    "video_classifier": "untrimmed",
    "video_epochs": 45,
    "inference": "single-cut",
    "class_threshold": 0.15,
    "scale": 1,
    "nms": "none",
    "lose_open_runs": True,
}


class EMMIL(SelectionLocalizer):
    """Expectation: which positions are key, given classes. Maximization: classes, given the key positions."""

    name = "em-mil"
    aliases = ("emmil",)
    title = "EM-MIL"
    paper = "Luo et al., ECCV 2020"
    presets: ClassVar[Presets] = {
        "recommended": {},
        "published": PUBLISHED,
        "literal": {**PUBLISHED, "label_weight": 0.2},
    }
    published_selection: ClassVar[Selection] = "last"

    hidden: int = hyper(256, low=1, high=65_536, source="released code")
    batch: int = hyper(1, low=1, high=4096, source="released code")
    epochs: int = hyper(65, low=1, high=100_000, source="released code: 65")
    weight_decay: float = hyper(0.0, low=0.0, high=1.0, packed=True, source="released code: none")
    stage_epochs: int = hyper(
        10,
        low=1,
        high=10_000,
        source="released code: 10",
        help="epochs of each stage before turns: classes from all positions, keys, classes from keys; at most a sixth",
    )
    rate_factor: float = hyper(4.0, low=0.1, high=100.0, source="released code", help="learning rate from keys on")
    sampling: str = hyper(
        "native", choices=("native", "index"), source="released code: videos at their own length", help="positions seen"
    )
    margin: float = hyper(0.15, low=0.0, high=1.0, packed=True, source="released code: mean + .15 of the range")
    key_weight: float = hyper(
        0.8, low=0.0, high=1.0, post=True, symbol="λ", source="released code: .8, .8; paper: λ, 1-λ"
    )
    label_weight: float = hyper(0.8, low=0.0, high=1.0, post=True, source="released code: .8, .8; paper: λ, 1-λ")
    video_classifier: str = hyper(
        "class-net",
        choices=("class-net", "untrimmed"),
        source="released code: a separately trained UntrimmedNet",
        help="what scores videos: the best positions of the class network, or a classifier of its own",
    )
    video_epochs: int = hyper(45, low=1, high=10_000, source="released code", help="for video_classifier=untrimmed")
    released_sign: bool = hyper(
        False, source="released code: yes", help="train that classifier without the minus of its loss: it unlearns"
    )
    inference: str = hyper(
        "contrast",
        choices=("contrast", "single-cut"),
        post=True,
        source="released code: single-cut",
        help="many thresholds and outer-inner contrast, or one cut through the normalized signal, every score 1",
    )
    cut: float = hyper(0.05, low=-1.0, high=1.0, post=True, source="released code", help="for inference=single-cut")
    lose_open_runs: bool = hyper(
        False, post=True, source="released code: yes", help="single-cut: drop a run that is open at the video's end"
    )

    # Training ---------------------------------------------------------------------------------------------------

    def phases(self, data: TaskData[Videos]) -> Sequence[Phase]:
        """Classes learn from all positions of their videos, keys from classes, classes from keys; then turns.

        One optimizer throughout, so moments go on; what does not learn stands still. Before classes have learned from
        keys no epoch is a candidate for the selection.
        """
        # Short budgets keep half of their epochs for the turns, in which both networks learn from each other.
        stage = max(1, min(self.stage_epochs, self.epochs // 6))
        slow = Optimizer("adam", lr=self.lr, weight_decay=self.weight_decay)
        fast = Optimizer("adam", lr=self.lr * self.rate_factor, weight_decay=self.weight_decay)
        first = [] if self.video_classifier == "class-net" else [self.stage("video", self.video_epochs, slow, new=True)]
        rest = max(1, self.epochs - 3 * stage)
        return [
            *first,
            self.stage("label", stage, slow, new=True),
            self.stage("key", stage, slow),
            Phase("label-from-keys", epochs=stage, optimizer=fast, trainable=("label",), evaluate_every=stage,
                  fresh_optimizer=False),
            Phase("turns", epochs=rest, optimizer=fast, evaluate_every=min(self.evaluate_every, rest),
                  trainable=("label", "key"), fresh_optimizer=False),
        ]  # fmt: skip

    def stage(self, part: str, epochs: int, optimizer: Optimizer, new: bool = False) -> Phase:
        """Epochs in which one network learns, before there is a whole model to evaluate."""
        return Phase(
            part, epochs=epochs, optimizer=optimizer, trainable=(part,), evaluate_every=epochs, select=False,
            fresh_optimizer=new,
        )  # fmt: skip

    def network(self, data: TaskData[Videos]) -> nn.Module:
        untrimmed = self.video_classifier == "untrimmed"
        return EMNetwork(data.train.rows.shape[1], self.hidden, len(data.classes), untrimmed)

    def sampled(self, train: Videos, videos: np.ndarray, generator: np.random.Generator) -> Batch:
        if self.sampling == "native":
            return padded_rows(train, videos, None, generator)
        batch = super().sampled(train, videos, generator)
        return {**batch, "length": torch.full((len(videos),), self.positions)}

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        assert isinstance(network, EMNetwork)
        features, lengths, labels = padded_features(self.store(run), batch), batch["length"], self.labels(run, batch)
        if run.phase.name == "video":
            return {"video": video_loss(network.video_probability(features, lengths), labels, self.released_sign)}
        scores = network(features)
        counted = (labels.sum(dim=1) > 0).to(labels.dtype)  # videos without labels teach nothing
        if self.expects(run):
            target = key_target(scores.label.detach().mean(dim=2), lengths, labels)
            return {"key": stream_entropy(scores.key, target, lengths, counted)}
        if run.phase.name == "label":
            target = labels[:, None].expand(-1, features.shape[1], -1).to(features.dtype)
        else:
            target = label_target(scores.key.detach().mean(dim=-1), lengths, labels, self.margin)
        return {"label": stream_entropy(scores.label, target, lengths, counted)}

    def expects(self, run: Run) -> bool:
        """Whether this is an E step, which keys learn from; turns begin with one."""
        return run.phase.name == "key" or (run.phase.name == "turns" and run.epoch % 2 == 0)

    # Scores -----------------------------------------------------------------------------------------------------

    def score(self, network: nn.Module, samples: Videos, run: Run) -> Scores:
        assert isinstance(network, EMNetwork)
        keys, labels, videos = [], [], []
        for features in self.videos_seen(samples, run.device):
            scores: EMScores = network(features)
            keys.append(scores.key.mean(dim=-1).flatten(0, 1).float().cpu())
            labels.append(scores.label.mean(dim=2).flatten(0, 1).float().cpu())
            videos.append(self.video_probability(network, features, scores).float().cpu())
        lengths = samples.lengths if self.sampling == "native" else np.full(len(samples), self.positions)
        classes = len(run.data.classes)
        return {
            "offsets": np.concatenate([[0], np.cumsum(lengths)]),
            "class_score": torch.cat(labels or [torch.zeros(0, classes)]).numpy(),
            "actionness": torch.cat(keys or [torch.zeros(0)]).reshape(-1, 1).numpy(),
            "probability": torch.cat(videos or [torch.zeros(0, classes)]).numpy(),
        }

    def videos_seen(self, samples: Videos, device: torch.device) -> Iterator[Tensor]:
        """Features (b, T, D): each video at its own length, or a few at the positions of the uniform grid."""
        if self.sampling == "index":
            yield from grid_batches(samples, uniform_grid(samples, self.positions), device)
        else:
            for video in range(len(samples)):
                yield as_tensor(samples.features(video)).to(device)[None]

    def video_probability(self, network: EMNetwork, features: Tensor, scores: EMScores) -> Tensor:
        """(b, C) of videos (b, T, D) without padding."""
        positions = features.shape[1]
        if self.video_classifier == "untrimmed":
            return network.video_probability(features, torch.full((len(features),), positions, device=features.device))
        return scores.label.mean(dim=2).topk(max(1, positions // self.divisor), dim=1).values.mean(dim=1)

    # Inference --------------------------------------------------------------------------------------------------

    def places(self, length: int) -> np.ndarray:
        return np.arange(length)

    def signal(self, class_score: np.ndarray, actionness: np.ndarray) -> np.ndarray:
        mixed = self.key_weight * actionness + self.label_weight * class_score
        return normalized(mixed) if self.inference == "single-cut" else np.asarray(mixed)

    def shown(self, probability: np.ndarray) -> np.ndarray:
        return shown_classes(probability, self.class_threshold, fallback=self.inference == "contrast")

    def propose(self, signal: np.ndarray, probability: float, rank: np.ndarray) -> Runs:
        if self.inference == "contrast":
            return super().propose(signal, probability, rank)
        first, last = runs_above(signal > self.cut, first_alone=True)
        kept = last < len(signal) - 1 if self.lose_open_runs else np.ones(len(first), dtype=bool)
        return Runs(first[kept], last[kept], np.ones(int(kept.sum())))


def normalized(signal: np.ndarray) -> np.ndarray:
    """Each channel of (T, K) less its mean, divided by its range; a constant channel is zero."""
    span = np.ptp(signal, axis=0)
    return np.asarray((signal - signal.mean(axis=0)) / np.where(span == 0, 1.0, span))
