"""SSTAP: self-supervised semi-supervised proposals, a mean teacher on BMN with four auxiliary tasks.

Source: Wang et al., "Self-Supervised Learning for Semi-Supervised Temporal Action Proposal", CVPR 2021, and its code
(released for ActivityNet only). The student sees shifted channels and drops some; a second pass sees time reversed; a
third fills masked time; a fourth predicts whether two halves were swapped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.networks.bmn.model import BMNConfig, BoundaryMap
from methods.networks.bmn.release import RELEASE
from methods.networks.bmn.sampling import Layout
from methods.semi_localization.parts.proposal_network import NamedBMN, ProposalNetwork
from methods.semi_localization.parts.teacher_student import TeacherStudent, disagreement, taught
from suite.method import Batch, Losses, Run, Value, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos


class SelfSupervisedBMN(NamedBMN):
    """BMN with a head that rebuilds the features and one that predicts the order of two halves."""

    def __init__(self, config: BMNConfig, classes: int) -> None:
        super().__init__(config, classes)
        width, groups = config.hidden, config.groups
        self.rebuild = nn.Sequential(
            nn.Conv1d(width, width, 3, padding=1, groups=groups),
            nn.ReLU(),
            nn.Conv1d(width, config.input_dim, 3, padding=1, groups=groups),
        )
        self.order = nn.Sequential(
            nn.Conv1d(width, 1, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(config.length, 2)
        )


def shift_channels(features: Tensor, forward: Tensor, backward: Tensor) -> Tensor:
    """(B, T, D) with channels ``forward`` (B, k) one cell earlier, ``backward`` one cell later; zeros move in."""
    nothing = torch.zeros(len(features), features.shape[2], dtype=torch.bool, device=features.device)
    early, late = (nothing.scatter(1, channels, True)[:, None] for channels in (forward, backward))
    earlier, later = F.pad(features[:, 1:], (0, 0, 0, 1)), F.pad(features[:, :-1], (0, 0, 1, 0))
    return torch.where(early, earlier, torch.where(late, later, features))


def reverse_map(maps: Tensor, layout: Layout) -> Tensor:
    """(B, rows, T) maps of the sequence played backwards: (s, e) becomes (T-1-e, T-1-s); zero where no proposal is."""
    if layout == "start-end":
        return maps.flip(1, 2).transpose(1, 2)
    rows, length = maps.shape[1:]
    duration = torch.arange(rows, device=maps.device)[:, None]
    start = length - 1 - torch.arange(length, device=maps.device)[None] - duration
    found = torch.take_along_dim(maps, start.clamp(min=0).expand_as(maps), dim=2)
    return found * (start >= 0)


def reverse(found: BoundaryMap, layout: Layout, swap: bool = True) -> BoundaryMap:
    """Predictions for the sequence played backwards: starts become ends (which the released code does not do)."""
    start, end = found.start.flip(1), found.end.flip(1)
    maps = (reverse_map(found.regression, layout), reverse_map(found.classification, layout))
    return BoundaryMap(end, start, *maps) if swap else BoundaryMap(start, end, *maps)


def sharpen(probability: Tensor) -> Tensor:
    """The teacher's curves with what it is sure of made certain: 0.9 and more is 1, 0.1 and less is 0."""
    sure = torch.where(probability >= 0.9, torch.ones_like(probability), probability)
    return torch.where(probability <= 0.1, torch.zeros_like(probability), sure)


class SSTAP(TeacherStudent):
    """Mean teacher with temporal shift, time reversal, masked reconstruction and clip order.

    The released recipe (preset ``published``) is for ActivityNet; at 10 and 20 % its batch is 8.
    """

    name = "sstap"
    title = "SSTAP (BMN)"
    paper = "Wang et al., Self-Supervised Learning for Semi-Supervised Temporal Action Proposal, CVPR 2021"
    presets: ClassVar[Mapping[str, Mapping[str, Value]]] = {
        "recommended": {},
        "published": {
            **ProposalNetwork.presets["published-activitynet"],
            "code": "original",
            "epochs": 10,
            "fall_after": 7 / 10,
            "ema": "slow",
            "unlabelled_batch": "by-share",
            "variant": "code",
        },
        "activitynet": ProposalNetwork.presets["activitynet"],
        "small": ProposalNetwork.presets["small"],
    }

    fold: int = hyper(64, low=2, high=10_000, source="released code", help="1/fold of the channels moves each way")
    drop: float = hyper(0.2, low=0.0, high=0.9, source="released code", help="channels, or cells, dropped")
    teacher_drop: float = hyper(
        0.05, low=0.0, high=0.9, source="released code", help="elements dropped for the teacher"
    )
    sure: float = hyper(0.6, low=0.0, high=1.0, source="released code", help="unlabelled windows below it are ignored")
    reversal: float = hyper(0.1, low=0.0, high=10.0, source="released code", help="weight, times consistency")
    rebuilding: float = hyper(5e-4, low=0.0, high=10.0, source="released code", help="weight")
    ordering: float = hyper(0.01, low=0.0, high=10.0, source="released code", help="weight")
    variant: str = hyper(
        "paper",
        choices=("paper", "code"),
        help="code: a reversed start is compared with a start, and the teacher starts from random weights of its own",
    )

    def network(self, data: TaskData[Videos]) -> nn.Module:
        network = SelfSupervisedBMN(self.detector.config(data), self.detector.named_classes(data))
        self.detector.randomized(network)
        self.detector.initialized(network.bmn, RELEASE)
        return network

    def begin(self, run: Run) -> None:
        if self.variant == "code" and run.teacher is not None:
            run.teacher.load_state_dict(self.network(run.data).state_dict())

    def perturbations(
        self, sizes: Sequence[int], channels: int, generator: np.random.Generator
    ) -> Mapping[str, Tensor]:
        """Channels to shift, drawn once for each group of windows, and whose halves are swapped."""
        moved = max(1, channels // self.fold)
        order = [np.tile(generator.permutation(channels)[: 2 * moved], (size, 1)) for size in sizes]
        swapped = generator.permutation(sum(sizes)) < sum(sizes) // 2
        return {"channels": torch.from_numpy(np.concatenate(order)), "swapped": torch.from_numpy(swapped)}

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        assert isinstance(network, SelfSupervisedBMN)
        features, known = self.everything(batch), len(batch["labelled"]["features"])
        forward, backward = self.everything(batch, "channels").chunk(2, dim=1)
        student, logits = network(_drop_channels(shift_channels(features, forward, backward), self.drop))
        labelled = BoundaryMap(*(part[:known] for part in student))
        parts = self.detector.supervised(network, labelled, logits[:known], batch["labelled"])
        teacher = taught(run.teacher, network, F.dropout(features, self.teacher_drop))
        trusted = self._trusted(teacher, known)
        target = teacher._replace(start=_sharp(teacher.start, known), end=_sharp(teacher.end, known))
        weight = self.weight(run)
        layout = self.detector.config(run.data).layout
        backwards = network(_drop_channels(features.flip(1), self.drop / 2))[0]
        reversed_target = reverse(target, layout, self.variant == "paper")
        parts["consistency"] = weight * self._agree(student, target, trusted, known)
        parts["reversal"] = self.reversal * weight * self._agree(backwards, reversed_target, trusted, known)
        return {**parts, **self._auxiliary(network, features, self.everything(batch, "swapped"), known)}

    def _trusted(self, teacher: BoundaryMap, known: int) -> Tensor:
        """(B,) bool: all labelled windows, and unlabelled ones of whose boundaries the teacher is sure."""
        sure = (teacher.start.amax(1) > self.sure) & (teacher.end.amax(1) > self.sure)
        return sure | (torch.arange(len(sure), device=sure.device) < known)

    @staticmethod
    def _agree(student: BoundaryMap, teacher: BoundaryMap, trusted: Tensor, known: int) -> Tensor:
        """Disagreement over labelled windows plus that over trusted unlabelled ones.

        0 where no window is trusted (the released code gives NaN); which ones are is not asked, so that no host waits.
        """
        every = disagreement(student, teacher) * trusted
        groups = ((every[:known], trusted[:known]), (every[known:], trusted[known:]))
        return sum((part.sum() / rows.sum().clamp(min=1) for part, rows in groups), start=every.new_zeros(()))

    def _auxiliary(self, network: SelfSupervisedBMN, features: Tensor, swapped: Tensor, known: int) -> Losses:
        kept = F.dropout(torch.ones_like(features[:, :, :1]), self.drop)
        rebuilt = network.rebuild(network.bmn.embed(features * kept)).transpose(1, 2)
        error = (rebuilt - features).square()
        groups = (error[:known], error[known:])  # a mean over each, whatever their sizes
        half = features.shape[1] // 2
        exchanged = torch.cat([features[:, half:], features[:, :half]], dim=1)
        played = torch.where(swapped[:, None, None], exchanged, features)
        order = network.order(network.bmn.embed(played))
        return {
            "rebuilding": self.rebuilding * sum(part.mean() for part in groups if len(part)),
            "ordering": self.ordering * F.cross_entropy(order, (~swapped).long()),
        }


def _drop_channels(features: Tensor, share: float) -> Tensor:
    """Drop whole channels of (B, T, D)."""
    return features * F.dropout(torch.ones_like(features[:, :1]), share)


def _sharp(values: Tensor, known: int) -> Tensor:
    """``values`` with the rows of unlabelled windows sharpened."""
    return torch.cat([values[:known], sharpen(values[known:])])
