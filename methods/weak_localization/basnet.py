"""BaSNet: background suppression network (Lee, Uh and Byun, AAAI 2020), as its released code trains and infers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from methods.weak_localization.parts.base import grid_batches, spread, uniform_grid
from methods.weak_localization.parts.basnet_network import BaSNetNet, BaSNetScores
from methods.weak_localization.parts.localize import Activation
from methods.weak_localization.parts.proposals import ProposalRule, Runs, chosen_classes, min_max, propose
from methods.weak_localization.parts.stepwise import Stepwise
from suite.method import Batch, Losses, Presets, Run, Scores, Selection, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos


def basnet_losses(scores: BaSNetScores, labels: Tensor, divisor: int, alpha: float) -> Losses:
    """The three terms (§3.4): background is present in the base branch and absent from the suppressed one.

    Binary cross entropy of softmax probabilities, mean over B · (C + 1), against (y, 1) / Σ and (y, 0) / Σ; plus
    ``alpha`` times the sum of the foreground weights of a video, batch mean. ``labels`` (B, C).
    """
    background = labels.new_ones(len(labels), 1)
    base = torch.cat([labels, background], dim=1)
    suppressed = torch.cat([labels, torch.zeros_like(background)], dim=1)
    return {
        "base": F.binary_cross_entropy(scores.base_probability(divisor), spread(base)),
        "suppressed": F.binary_cross_entropy(scores.suppressed_probability(divisor), spread(suppressed)),
        "foreground": alpha * scores.foreground.sum(dim=1).mean(),
    }


class BaSNet(Stepwise):
    """Two branches that share weights: one must find background, the other, behind a filter, must not."""

    name = "basnet"
    title = "BaSNet"
    paper = "Lee et al., AAAI 2020"
    # Pilhyeon/BaSNet-pytorch@c8c6bbd: config.py, main.py; the released code scores the test videos after every step.
    presets: ClassVar[Presets] = {
        "recommended": {},
        "published": {
            "lr": 1e-4,
            "weight_decay": 5e-4,
            "batch": 16,
            "steps": 1500,
            "evaluate_every": 1,
            "positions": 750,
            "hidden": 2048,
            "filter_hidden": 512,
            "fallback": False,
            "skip_first": True,
            "scale": 24,
            "nms": "hard",
        },
        "small": {"lr": 1e-3, "hidden": 64, "filter_hidden": 64, "positions": 250},
    }
    published_selection: ClassVar[Selection] = "oracle"

    hidden: int = hyper(2048, low=1, high=65_536, source="released code: 2048 (kernel 3, twice)")
    filter_hidden: int = hyper(512, low=1, high=65_536, source="released code")
    dropout: float = hyper(0.7, low=0.0, high=0.95, source="released code")
    divisor: int = hyper(8, low=1, high=10_000, symbol="T/k", source="§4.1: k = T / 8")
    alpha: float = hyper(1e-4, low=0.0, high=1.0, symbol="α", source="§4.1", packed=True)
    epochs: int = hyper(115, low=1, high=100_000, source="released code: 1,500 steps of 16 of 200 videos")
    class_threshold: float = hyper(0.25, low=0.0, high=1.0, post=True, source="released code")
    fallback: bool = hyper(
        True, post=True, source="released code: no", help="the best class where none reaches the threshold"
    )
    skip_first: bool = hyper(
        False, post=True, source="released code: yes", help="drop videos whose only class is the first one"
    )
    threshold_low: float = hyper(0.0, low=0.0, high=1.0, post=True, source="released code")
    threshold_high: float = hyper(0.225, low=0.0, high=1.0, post=True, source="released code")
    thresholds: int = hyper(10, low=1, high=100, post=True, source="released code")
    outer: float = hyper(0.25, low=0.0, high=10.0, post=True, source="released code", help="outer region / run length")
    class_weight: float = hyper(0.2, low=0.0, high=10.0, post=True, symbol="γ", source="released code")
    nms_threshold: float = hyper(0.7, low=0.0, high=1.0, post=True, source="released code")
    nms_plus: float = hyper(1.0, low=0.0, high=10.0, post=True, source="released code")

    def network(self, data: TaskData[Videos]) -> nn.Module:
        return BaSNetNet(data.train.rows.shape[1], self.filter_hidden, self.hidden, len(data.classes), self.dropout)

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        scores = network(self.store(run)[batch["index"]])
        return basnet_losses(scores, self.labels(run, batch), self.divisor, self.alpha)

    def score(self, network: nn.Module, samples: Videos, run: Run) -> Scores:
        grid, signals, probabilities = uniform_grid(samples, self.positions), [], []
        for features in grid_batches(samples, grid, run.device):
            scores: BaSNetScores = network(features)
            signals.append(scores.suppressed[..., :-1].float().cpu().numpy())
            probabilities.append(scores.suppressed_probability(self.divisor)[:, :-1].float().cpu().numpy())
        return {"signal": np.concatenate(signals), "probability": np.concatenate(probabilities)}

    def activations(self, scores: Scores, samples: Videos) -> Iterator[Activation]:
        for signal, probability in zip(scores["signal"], scores["probability"]):
            classes = chosen_classes(probability, self.class_threshold, self.fallback, self.skip_first)
            normal = min_max(signal[:, classes].astype(np.float64))
            yield Activation(classes, np.ones(len(classes)), normal)

    def propose(self, signal: np.ndarray, probability: float, rank: np.ndarray) -> Runs:
        levels = tuple(np.linspace(self.threshold_low, self.threshold_high, self.thresholds))
        rule = ProposalRule(levels, self.outer, self.class_weight, zeroed=True)
        return propose(signal, probability, rule)
