"""ActionFormer as a detector: its sizes, training samples, supervised loss, scores and decoding into segments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from methods.networks.actionformer.config import GLOBAL_WINDOW, ActionFormerConfig
from methods.networks.actionformer.decoding import (
    AREA_PAD,
    NmsRule,
    candidates,
    fuse_class_scores,
    suppress,
    to_seconds,
)
from methods.networks.actionformer.losses import detector_losses, update_normalizer
from methods.networks.actionformer.model import ActionFormer, Detections
from methods.networks.actionformer.optim import decay_groups
from methods.networks.actionformer.preparation import Sample
from methods.networks.actionformer.release import RELEASE
from methods.networks.actionformer.targets import Targets
from methods.semi_localization.parts.batches import GridVideos, detector_batch, endless, padded, random_crop, together
from methods.semi_localization.parts.detector import NOTHING, Detector, Labels, candidates_of, scores_of
from methods.semi_localization.parts.external_classes import class_scores_of
from suite.evaluate.scoring.pool import Pool, Thinning
from suite.evaluate.segments import Segments
from suite.evaluate.suppression import SoftRule
from suite.method import Batch, Losses, Run, Scores, Value, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos
from suite.weights import InitialWeights

ACTIVITYNET: Mapping[str, Value] = {
    "embedding": 256,
    "window": 7,
    "global_last": True,
    "max_length": 192,
    "resize": True,
    "position_encoding": True,
    "class_agnostic": True,
    "regression_weight": 2.0,
    "label_smoothing": 0.1,
    "initial_normalizer": 200.0,
    "lr": 1e-3,
    "batch": 16,
    "epochs": 15,
    "semi_epochs": 15,
    "warmup": 5 / 15,
    "least_crop": 0.9,
    "shortest": 0.001,
    "nms_sigma": 0.75,
    "max_segments": 100,
    "voting": 0.9,
}
RELEASED: Mapping[str, Value] = {"budget": "published", "ema": "published"}
TOGETHER = 2048  # cells that are computed at once; longer sequences gain nothing
Augment = Callable[[Sample, GridVideos, int], Sample]


class AnchorFree(InitialWeights, Detector):
    """ActionFormer: training from segments on its pyramid of points, and inference.

    ``recommended`` and ``published`` have the sizes for THUMOS-14; ``published`` is the released recipe: 35 epochs, and
    an average of the weights that starts from the random ones.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Value]]] = {
        "recommended": {},
        "published": RELEASED,
        "activitynet": ACTIVITYNET,
        "published-activitynet": {**ACTIVITYNET, **RELEASED},
        "small": {
            "embedding": 64,
            "levels": 5,
            "window": 9,
            "max_length": 512,
            "initial_normalizer": 20.0,
            "lr": 1e-3,
            "steps": 300,
            "semi_steps": 300,
            "evaluate_steps": 100,
        },
    }

    embedding: int = hyper(512, low=8, high=4096, source="released code, THUMOS-14", help="channels of every layer")
    heads: int = hyper(4, low=1, high=64, source="released code")
    levels: int = hyper(6, low=1, high=10, source="released code", help="levels of the pyramid")
    window: int = hyper(19, low=1, high=1001, source="released code", help="cells a query attends to")
    global_last: bool = hyper(False, source="released code, ActivityNet", help="the last level attends everywhere")
    max_length: int = hyper(2304, low=16, high=1_000_000, source="released code", help="training length in snippets")
    resize: bool = hyper(False, source="released code, ActivityNet", help="stretch every video to max_length")
    position_encoding: bool = hyper(False, source="released code, ActivityNet")
    class_agnostic: bool = hyper(
        False, source="released code, ActivityNet", help="find actions only; classes come with the dataset"
    )
    drop_path: float = hyper(0.1, low=0.0, high=0.9, source="released code")
    centre_radius: float = hyper(1.5, low=0.1, high=100.0, source="ActionFormer §3.3", help="strides")
    regression_weight: float = hyper(1.0, low=0.0, high=100.0, source="released code")
    label_smoothing: float = hyper(0.0, low=0.0, high=0.9, source="released code")
    initial_normalizer: float = hyper(
        100.0, low=1.0, high=1e6, source="released code", help="expected positive points per step"
    )
    least_crop: float = hyper(0.9, low=0.1, high=1.0, source="released code", help="smallest random share of a video")
    pre_threshold: float = hyper(0.001, low=0.0, high=1.0, source="released code", help="lowest score of a candidate")
    per_level: int = hyper(2000, low=1, high=1_000_000, source="released code", help="candidates per level")
    shortest: float = hyper(0.05, low=0.0, high=100.0, source="released code", help="cells; shorter ones are dropped")
    nms_sigma: float = hyper(0.5, low=0.01, high=10.0, symbol="σ", source="released code", post=True)
    min_score: float = hyper(0.001, low=0.0, high=1.0, source="released code", post=True)
    max_segments: int = hyper(200, low=1, high=100_000, source="released code", help="segments per video", post=True)
    voting: float = hyper(0.0, low=0.0, high=1.0, source="released code", help="tIoU; 0 is off", post=True)

    def config(self, data: TaskData[Videos]) -> ActionFormerConfig:
        """The network's sizes for ``data``."""
        last = GLOBAL_WINDOW if self.global_last else self.window
        return ActionFormerConfig(
            input_dim=data.train.rows.shape[1],
            classes=1 if self.class_agnostic else len(data.classes),
            embedding=self.embedding,
            heads=self.heads,
            windows=(self.window,) * (self.levels - 1) + (last,),
            max_length=self.max_length,
            position_encoding=self.position_encoding,
            centre_radius=self.centre_radius,
            regression_weight=self.regression_weight,
            label_smoothing=self.label_smoothing,
            initial_normalizer=self.initial_normalizer,
            drop_path=self.drop_path,
        )

    def network(self, data: TaskData[Videos]) -> nn.Module:
        return self.initialized(ActionFormer(self.config(data)), RELEASE)

    def parameter_groups(self, network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
        return decay_groups(network, weight_decay)

    def on_grid(self, videos: Videos, segments: Segments = NOTHING, uncertain: Segments = NOTHING) -> GridVideos:
        """Videos with the segments to learn from (none where only features are wanted)."""
        return GridVideos(videos, segments, self.max_length if self.resize else 0, uncertain)

    # Training -----------------------------------------------------------------------------------------------------

    def batches(self, run: Run, labels: Labels, size: int, generator: np.random.Generator) -> Iterator[Batch]:
        for samples in self.samples(run, labels, size, generator):
            yield self.collate(samples, run)

    def samples(
        self, run: Run, labels: Labels, size: int, generator: np.random.Generator, augment: Augment | None = None
    ) -> Iterator[list[Sample]]:
        """Endless groups of ``size`` videos, each cropped at random, then changed by ``augment``."""
        videos, config = self.on_grid(run.data.train, labels.segments, labels.uncertain), self.config(run.data)
        for rows in endless(labels.rows, size, generator):
            group = []
            for row in map(int, rows):
                cropped = random_crop(videos.sample(row), config, generator, videos.grid(row), self.least_crop)
                group.append(augment(cropped, videos, row) if augment else cropped)
            yield group

    def collate(self, samples: Sequence[Sample], run: Run) -> Batch:
        """Samples as one batch with targets."""
        return detector_batch(samples, self.config(run.data))

    def loss(self, network: nn.Module, batch: Batch, run: Run, group: str) -> Losses:
        return self.detect(network, batch, run, group)[1]

    def detect(self, network: nn.Module, batch: Batch, run: Run, group: str) -> tuple[Detections, Losses]:
        """Detections of a batch with their losses; each ``group`` of videos has a normalizer of its own."""
        found: Detections = network(batch["features"], batch["length"])
        return found, self.detector_loss(found, batch, run, group)

    def detector_loss(self, found: Detections, batch: Batch, run: Run, group: str) -> Losses:
        """Classification and weighted regression loss of detections against the batch's targets."""
        targets = Targets(batch["classes"], batch["offsets"], batch["instance"])
        sums = detector_losses(found, targets, self.label_smoothing, batch["ignored"])
        # Numbers of positive points differ between annotated videos and pseudo-labelled ones, so each has a running
        # mean.
        key = f"normalizer_{group}"
        if key not in run.memory:
            device = found.logits.device
            run.memory[key] = torch.full((), self.initial_normalizer, dtype=torch.float64, device=device)
        normalizer = update_normalizer(run.memory[key], batch["positive_points"][0])
        run.memory[key] = normalizer
        # the sum over the batch divided by Z, written as a mean over the samples at hand (a worker may hold a part)
        share = batch["rows"][0] / (normalizer * len(batch["instance"]))
        scaled = [(part * share).to(part.dtype) for part in (sums.classification, sums.regression)]
        return {"classification": scaled[0], "regression": self.regression_weight * scaled[1]}

    # Inference ----------------------------------------------------------------------------------------------------

    def outputs(
        self, network: nn.Module, videos: GridVideos, rows: Sequence[int], run: Run, what: str
    ) -> Iterator[tuple[int, Detections]]:
        """Each of the videos ``rows`` with its raw outputs (of one video), the shortest first.

        Videos that are padded to one length are computed together: short ones take a third to two thirds of the time
        that they take alone. The padding of a video depends on no other, as in the released inference.
        """
        config, done = self.config(run.data), 0
        for group in together([config.computed_length(videos.cells(row)) for row in rows], TOGETHER):
            features, lengths = padded([videos.features(rows[place]) for place in group])
            found: Detections = network(*(part.to(run.device, non_blocking=True) for part in (features, lengths)))
            for number, place in enumerate(group):
                run.tell(what, done, len(rows))
                done += 1
                logits, offsets, valid = (part[number : number + 1] for part in found[:3])
                yield rows[place], Detections(logits, offsets, valid, found.points)

    def score(self, network: nn.Module, samples: Videos, run: Run) -> Scores:
        parts: dict[int, Segments] = {}
        for row, raw in self.outputs(network, self.on_grid(samples), range(len(samples)), run, "scoring: video"):
            found = candidates(raw, 0, self.pre_threshold, self.per_level, self.shortest)
            columns = (torch.full_like(found.labels, row), found.labels, *found.segments.T, found.scores)
            parts[row] = Segments(*(column.cpu().numpy() for column in columns))
        scores = scores_of(parts.pop(row) for row in sorted(parts))
        return {**scores, "class_scores": class_scores_of(run.data, samples)} if self.class_agnostic else scores

    def decode(self, scores: Scores, samples: Videos) -> Segments:
        rule = NmsRule(
            class_wise=not self.class_agnostic,
            sigma=self.nms_sigma,
            min_score=self.min_score,
            limit=self.max_segments,
            voting=self.voting,
        )
        final = self.in_seconds(suppress(candidates_of(scores), rule), samples)
        return fuse_class_scores(final, scores["class_scores"]) if self.class_agnostic else final

    def in_seconds(self, found: Segments, samples: Videos) -> Segments:
        """Grid cells to seconds."""
        videos = self.on_grid(samples)
        return to_seconds(found, [videos.grid(row) for row in range(len(samples))])

    def pool(self, scores: Scores, samples: Videos) -> Pool:
        found = candidates_of(scores)
        return Pool(self.in_seconds(found, samples), found.start, found.end)

    def thinning(self) -> Thinning | None:
        if self.class_agnostic:
            return None
        # Votes count only where suppression does not act inside classes, so they change nothing here.
        return SoftRule(self.max_segments, self.nms_sigma, min_score=self.min_score, pad=AREA_PAD)
