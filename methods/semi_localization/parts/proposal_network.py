"""BMN as a detector: windows, named proposals, supervised losses, scores and decoding into segments.

BMN finds actions without naming them; published results take the names from a classifier trained on every video label.
Here a sigmoid layer on the base features names each cell, learnt from the labelled segments alone, and a proposal takes
the classes whose probability inside it is highest; ``class_agnostic`` takes the dataset's external scores instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from methods.networks.actionformer.losses import sigmoid_focal
from methods.networks.bmn.losses import Draws, MapTargets, community_losses, opentad_losses
from methods.networks.bmn.model import BMN, BMNConfig, BoundaryMap
from methods.networks.bmn.proposals import (
    Maps,
    Proposals,
    community_proposals,
    opentad_proposals,
    original_proposals,
)
from methods.networks.bmn.release import RELEASE
from methods.networks.bmn.sampling import valid_cells
from methods.networks.bmn.targets import Code, proposal_extents
from methods.semi_localization.parts.batches import endless
from methods.semi_localization.parts.detector import Detector, Labels, candidates_of, scores_of
from methods.semi_localization.parts.external_classes import class_scores_of
from methods.semi_localization.parts.proposal_suppression import ANY, GROWING, suppressed, times
from methods.semi_localization.parts.windows import Windows, window_batch
from suite.evaluate.scoring.pool import Pool, Thinning
from suite.evaluate.segments import Segments
from suite.evaluate.suppression import SoftRule, best_rows
from suite.method import Batch, Losses, Run, Scores, Value, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos
from suite.weights import InitialWeights

WINDOWS_AT_ONCE = 16  # scored together: the published network holds 40 MiB of each, and a long video has hundreds

PROPOSALS: dict[Code, Callable[[Maps], Proposals]] = {
    "original": original_proposals,
    "community": community_proposals,
    "opentad": opentad_proposals,
}


ACTIVITYNET: Mapping[str, Value] = {
    "resize": True,
    "length": 100,
    "longest": 100,
    "code": "community",
    "proposal": 256,
    "class_agnostic": True,
    "lr": 1e-3,
    "epochs": 9,
    "nms_sigma": 0.4,
    "max_segments": 100,
}
ADAM_IN_STEPS: Mapping[str, Value] = {
    "budget": "published",
    "optimizer": "adam",
    "schedule": "step",
    "ema": "off",
    "per_window": 100_000,  # all candidates enter the suppression
}
OPENTAD: Mapping[str, Value] = {**ADAM_IN_STEPS, "base_decay": 10.0, "initial": "xavier", "voting": 0.95}
COMMUNITY: Mapping[str, Value] = {**ADAM_IN_STEPS, "fall_after": 7 / 9, "clip": 0.0, "min_score": 0.0}


NetworkT = TypeVar("NetworkT", bound=nn.Module)


class NamedBMN(nn.Module):
    """BMN with a layer that names the cells of its base features."""

    def __init__(self, config: BMNConfig, classes: int) -> None:
        super().__init__()
        self.bmn = BMN(config)
        self.classifier = nn.Conv1d(config.hidden, classes, 1)

    def forward(self, features: Tensor) -> tuple[BoundaryMap, Tensor]:
        """(B, T, D) -> map and class logits (B, T, C)."""
        base = self.bmn.embed(features)
        return self.bmn.evaluate(base), self.classifier(base).transpose(1, 2)


def boundary_network(network: nn.Module) -> BMN:
    """The boundary-matching part of a network."""
    bmn = network.get_submodule("bmn")
    assert isinstance(bmn, BMN)
    return bmn


class ProposalNetwork(InitialWeights, Detector):
    """BMN: training from segments on windows of its boundary map, and inference.

    ``recommended`` and ``published`` have OpenTAD's sizes for THUMOS-14, ``published`` with its recipe; on ActivityNet
    ``published-activitynet`` is JJBOY/BMN's recipe, ``opentad-activitynet`` OpenTAD's.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Value]]] = {
        "recommended": {},
        "published": {**OPENTAD, "fall_after": 5 / 8},
        "activitynet": ACTIVITYNET,
        "published-activitynet": {**ACTIVITYNET, **COMMUNITY},
        "opentad-activitynet": {
            **OPENTAD,
            "fall_after": 7 / 10,
            "epochs": 10,
            "lr": 1e-3,
            "resize": True,
            "longest": 128,
            "class_agnostic": True,
            "nms_sigma": 0.5,
            "min_score": 0.01,
            "max_segments": 100,
        },
        "small": {
            "length": 64,
            "longest": 48,
            "hidden": 64,
            "proposal": 32,
            "sampled": 64,
            "map_hidden": 32,
            "samples": 16,
            "per_sample": 2,
            "lr": 1e-3,
            "batch": 8,
            "steps": 300,
            "semi_steps": 300,
            "evaluate_steps": 100,
        },
    }

    lr: float = hyper(1e-4, low=1e-8, high=1.0, log=True, source="OpenTAD, THUMOS-14; 1e-3 on ActivityNet")
    weight_decay: float = hyper(1e-4, low=0.0, high=1.0, source="both public codes")
    batch: int = hyper(16, low=1, high=4096, source="both public codes", help="labelled windows per step")
    epochs: int = hyper(8, low=1, high=100_000, source="OpenTAD, THUMOS-14", help="labelled epochs if published")
    warmup: float = hyper(0.0, low=0.0, high=0.9, source="both public codes: none", help="share of the steps")
    length: int = hyper(128, low=2, high=1024, symbol="T", source="OpenTAD, THUMOS-14", help="cells of a window")
    longest: int = hyper(64, low=1, high=1024, symbol="D", source="OpenTAD", help="longest proposal in cells")
    resize: bool = hyper(False, source="BMN §4.1, ActivityNet", help="stretch every video to one window")
    code: Code = hyper(
        "opentad",
        choices=("opentad", "community", "original"),
        help="whose targets, losses and proposals: OpenTAD, JJBOY/BMN, or BMN's authors (as SSTAP has them)",
    )
    class_agnostic: bool = hyper(False, help="take the classes from scores that come with the dataset")
    hidden: int = hyper(256, low=1, high=4096, source="BMN §3.2")
    proposal: int = hyper(128, low=1, high=4096, source="OpenTAD; 256 in the community code")
    sampled: int = hyper(512, low=1, high=4096, source="BMN §3.2")
    map_hidden: int = hyper(128, low=1, high=4096, source="BMN §3.2")
    samples: int = hyper(32, low=2, high=256, symbol="N", source="BMN §3.2", help="points sampled in a proposal")
    per_sample: int = hyper(3, low=1, high=16, source="both public codes", help="interpolations averaged at a point")
    class_weight: float = hyper(1.0, low=0.0, high=100.0, help="of the loss that names cells")
    base_decay: float = hyper(1.0, low=0.0, high=1e4, source="OpenTAD: 10", help="decay of the base layers, relative")
    initial: str = hyper(
        "torch", choices=("torch", "xavier"), source="OpenTAD: xavier", help="random start; xavier has biases of 0"
    )
    per_window: int = hyper(200, low=1, high=100_000, help="proposals kept of a window")
    top_classes: int = hyper(2, low=1, high=100, source="OpenTAD", help="classes a proposal takes")
    nms_sigma: float = hyper(0.3, low=0.01, high=10.0, symbol="σ", source="OpenTAD, THUMOS-14", post=True)
    min_score: float = hyper(1e-4, low=0.0, high=1.0, source="OpenTAD, THUMOS-14", post=True)
    max_segments: int = hyper(200, low=1, high=100_000, source="OpenTAD, THUMOS-14", post=True)
    voting: float = hyper(0.0, low=0.0, high=1.0, source="OpenTAD: 0.95", help="tIoU; 0 is off", post=True)

    # Network ------------------------------------------------------------------------------------------------------

    def config(self, data: TaskData[Videos]) -> BMNConfig:
        """The network's sizes for ``data``."""
        return BMNConfig(
            input_dim=data.train.rows.shape[1],
            length=self.length,
            longest=min(self.longest, self.length),
            layout="start-end" if self.code == "community" else "duration-start",
            hidden=self.hidden,
            proposal=self.proposal,
            sampled=self.sampled,
            map_hidden=self.map_hidden,
            groups=4 if data.train.rows.shape[1] % 4 == 0 else 1,
            samples=self.samples,
            per_sample=self.per_sample,
        )

    def network(self, data: TaskData[Videos]) -> nn.Module:
        network = self.randomized(NamedBMN(self.config(data), self.named_classes(data)))
        self.initialized(network.bmn, RELEASE)
        return network

    def randomized(self, network: NetworkT) -> NetworkT:
        """``network`` with the random start that was asked for (its naming layer keeps torch's)."""
        if self.initial == "xavier":
            for module in boundary_network(network).modules():
                if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
                    nn.init.xavier_uniform_(module.weight)
                    if module.bias is not None:
                        nn.init.zeros_(module.bias)
        return network

    def parameter_groups(self, network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
        named = list(network.named_parameters())
        base = [p for name, p in named if name.startswith("bmn.base.")]
        rest = [p for name, p in named if not name.startswith("bmn.base.")]
        return [
            {"params": base, "weight_decay": weight_decay * self.base_decay},
            {"params": rest, "weight_decay": weight_decay},
        ]

    def named_classes(self, data: TaskData[Videos]) -> int:
        """Classes that the network itself predicts."""
        return 1 if self.class_agnostic else len(data.classes)

    # Training -----------------------------------------------------------------------------------------------------

    def windows(self, videos: Videos, rows: np.ndarray) -> Windows:
        """All windows of some videos."""
        return Windows.over(videos, rows, self.length, self.resize)

    def count(self, videos: Videos, labels: Labels) -> int:
        return len(self.with_segments(self.windows(videos, labels.rows), labels.segments))

    def with_segments(self, windows: Windows, known: Segments) -> np.ndarray:
        """Rows of the windows that hold a segment; only these are trained on (all, if none does)."""
        held = [row for row in range(len(windows)) if len(windows.segments(row, known)[0])]
        return np.array(held if held else range(len(windows)), dtype=np.int64)

    def batches(self, run: Run, labels: Labels, size: int, generator: np.random.Generator) -> Iterator[Batch]:
        windows = self.windows(run.data.train, labels.rows)
        for rows in endless(self.with_segments(windows, labels.segments), size, generator):
            yield self.window_batch(windows, rows, labels.segments, run)

    def window_batch(self, windows: Windows, rows: np.ndarray, known: Segments, run: Run) -> Batch:
        """Windows with their targets."""
        config = self.config(run.data)
        cells, _ = valid_cells(config.layout, config.length, config.longest)
        classes = self.named_classes(run.data)
        named = Segments(known.video, known.label * (not self.class_agnostic), known.start, known.end)
        extents = proposal_extents(cells, self.code)
        return dict(window_batch(windows, rows, named, classes, cells, extents, config.map_shape, self.code))

    def loss(self, network: nn.Module, batch: Batch, run: Run, group: str) -> Losses:
        found, logits = network(batch["features"])
        return self.supervised(network, found, logits, batch)

    def supervised(self, network: nn.Module, found: BoundaryMap, logits: Tensor, batch: Batch) -> Losses:
        """Losses of BMN and of the naming layer."""
        bmn, targets = boundary_network(network), MapTargets(batch["start"], batch["end"], batch["tiou"])
        losses, cells = (opentad_losses, bmn.cells) if self.code == "opentad" else (community_losses, bmn.valid)
        parts = losses(found, targets, cells, self.draws(len(targets.tiou), cells))
        if self.class_agnostic:
            return parts
        focal = sigmoid_focal(logits, batch["snippets"]).sum() / batch["snippets"].sum().clamp(min=1)
        return {**parts, "naming": self.class_weight * focal}

    def draws(self, windows: int, cells: Tensor) -> Draws:
        """Uniform numbers that choose cells for the regression: of whole maps, or of valid cells in a row (OpenTAD)."""
        return Draws(*torch.rand(2, windows, *cells.shape, device=cells.device))

    # Inference ----------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def propose(self, network: nn.Module, videos: Videos, row: int, run: Run) -> Segments:
        """Named proposals of one video in seconds, windows merged but nothing suppressed."""
        windows = self.windows(videos, np.array([row]))
        parts: list[Segments] = []
        for first in range(0, len(windows), WINDOWS_AT_ONCE):
            block = np.arange(first, min(first + WINDOWS_AT_ONCE, len(windows)))
            found, logits = network(windows.stacked(block).to(run.device))
            maps = [x.float().cpu().numpy() for x in found]
            probability = logits.float().sigmoid().cpu().numpy()
            parts += [
                self._named(self._candidates(Maps(*(x[place] for x in maps))), probability[place], windows, window)
                for place, window in enumerate(block.tolist())
            ]
        return Segments.concatenate(parts)

    def _candidates(self, maps: Maps) -> Proposals:
        found = PROPOSALS[self.code](maps)
        best = best_rows(found.scores, self.per_window)
        return Proposals(found.segments[best], found.scores[best])

    def _named(self, found: Proposals, probability: np.ndarray, windows: Windows, window: int) -> Segments:
        """Proposals times their likeliest classes: the mean probability of the cells inside."""
        total = np.concatenate([np.zeros((1, probability.shape[1])), probability.cumsum(0)])
        first, last = found.segments.astype(np.int64).T
        # Means over every proposal from one running sum: there are thousands of proposals and a hundred cells.
        inside = (total[last] - total[first]) / np.maximum(last - first, 1)[:, None]
        top = min(self.top_classes, probability.shape[1])
        labels = np.argsort(-inside, axis=1, kind="stable")[:, :top]
        scores = found.scores[:, None] * (1.0 if self.class_agnostic else np.take_along_axis(inside, labels, axis=1))
        start, cell = windows.edges(window)
        limit = float(windows.videos.duration[windows.video[window]])
        times = np.clip(start + np.repeat(found.segments, top, axis=0) * cell, 0.0, limit)
        video = np.full(len(times), windows.video[window])
        return Segments(
            video, labels.reshape(-1), times[:, 0], times[:, 1], np.broadcast_to(scores, labels.shape).reshape(-1)
        )

    def score(self, network: nn.Module, samples: Videos, run: Run) -> Scores:
        rows = run.each("scoring: video", range(len(samples)))
        scores = scores_of(self.propose(network, samples, row, run) for row in rows)
        return {**scores, "class_scores": class_scores_of(run.data, samples)} if self.class_agnostic else scores

    def decode(self, scores: Scores, samples: Videos) -> Segments:
        found = candidates_of(scores)
        kept = self.suppressed(found, samples.duration)
        if not self.class_agnostic:
            return kept
        table = np.asarray(scores["class_scores"])
        labels = np.argsort(-table, axis=1, kind="stable")[:, : self.top_classes]
        repeated = kept.take(np.tile(np.arange(len(kept)), labels.shape[1]))
        label = labels[kept.video].T.reshape(-1)
        assert repeated.score is not None
        return Segments(
            repeated.video, label, repeated.start, repeated.end, repeated.score * table[repeated.video, label]
        )

    def suppressed(self, found: Segments, duration: np.ndarray) -> Segments:
        """Soft-NMS within each video and class."""
        return suppressed(found, self.soft_rule, duration, self.voting)

    @property
    def soft_rule(self) -> SoftRule:
        """The parameters of suppression."""
        rule = ANY if self.code == "opentad" else GROWING
        return replace(rule, limit=self.max_segments, sigma=self.nms_sigma, min_score=self.min_score)

    def pool(self, scores: Scores, samples: Videos) -> Pool:
        found = candidates_of(scores)
        return Pool(found, *times(found, self.soft_rule, samples.duration))

    def thinning(self) -> Thinning | None:
        if self.class_agnostic or self.voting > 0:
            return None
        return self.soft_rule
