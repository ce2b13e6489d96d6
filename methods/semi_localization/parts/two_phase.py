"""Self-training of ActionFormer (NPL, §3.1): pseudo-labels from dense predictions, then both kinds of videos a step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from methods.networks.actionformer.decoding import AREA_PAD, boundaries, candidates, to_seconds
from methods.networks.actionformer.model import Detections
from methods.networks.actionformer.preparation import Sample
from methods.semi_localization.parts.anchor_free import AnchorFree
from methods.semi_localization.parts.background_swap import swap_background
from methods.semi_localization.parts.base import labelled_rows
from methods.semi_localization.parts.batches import GridVideos, endless
from methods.semi_localization.parts.consistency import temporal_consistency
from methods.semi_localization.parts.external_classes import class_scores_of
from methods.semi_localization.parts.pseudo_labelling import Predicted, PseudoLabelling
from methods.semi_localization.parts.ranking import (
    NEIGHBOURS,
    SPREADS,
    Neighbours,
    Spread,
    boundary_ambiguity,
    neighbour_points,
)
from suite.evaluate.segments import Segments
from suite.evaluate.suppression import soft_nms
from suite.method import Batch, Losses, Run, hyper


class TwoPhase(PseudoLabelling, AnchorFree):
    """Each step of the second phase takes labelled and pseudo-labelled videos, each with a normalizer of its own."""

    keep_supervised: bool = hyper(True, help="the second phase keeps the labelled loss (false: Fig. 6)")
    background: float = hyper(
        0.0, low=0.0, high=1.0, source="NPL §4.2: 10 %", help="share of pseudo-labelled samples with foreign background"
    )
    neighbours: Neighbours = hyper(
        "inside", choices=NEIGHBOURS, source="NPL §3.2", help="points whose agreement measures a boundary"
    )
    neighbour_window: int = hyper(2, low=1, high=100, help="points on each side, for neighbours=window")
    spread: Spread = hyper("variance", choices=SPREADS, source="NPL eq. 4", help="std makes eq. 4 free of units")
    spread_floor: float = hyper(1e-3, low=0.0, high=1.0, help="lowest ambiguity, relative to the duration")

    @property
    def consistent(self) -> bool:
        """Whether the temporal consistency loss replaces the regression to pseudo-boundaries (eq. 8)."""
        return False

    # Pseudo-labels ------------------------------------------------------------------------------------------------

    def predictions(self, network: nn.Module, row: int, run: Run) -> Predicted:
        videos = self.on_grid(run.data.train)
        raw = self.detections(network, videos, row, run.device)
        found = candidates(raw, 0, max(self.floor, self.pre_threshold), self.per_level, self.shortest)
        start, end, score = (x.double().cpu().numpy() for x in (*found.segments.T, found.scores))
        labels = found.labels.cpu().numpy()
        rows, _ = soft_nms(
            start, end, score, sigma=self.nms_sigma, min_score=self.floor, limit=self.max_segments, group=labels,
            pad=AREA_PAD,
        )  # fmt: skip
        ambiguity = self._ambiguity(raw, torch.from_numpy(rows).to(run.device), found.segments, found.points)
        placed = Segments(np.zeros_like(rows), labels[rows], start[rows], end[rows])
        seconds = to_seconds(placed, [videos.grid(row)])
        return Predicted(self._named(labels[rows], row, run), seconds.start, seconds.end, score[rows], ambiguity)

    def _named(self, labels: np.ndarray, row: int, run: Run) -> np.ndarray:
        """Classes of pseudo-labels; a class-agnostic network takes the video's best external class."""
        if not self.class_agnostic:
            return labels
        return np.full(len(labels), class_scores_of(run.data, run.data.train)[row].argmax())

    def _ambiguity(self, raw: Detections, rows: Tensor, segments: Tensor, origin: Tensor) -> np.ndarray:
        """Boundary ambiguity of the predictions at ``rows`` (eq. 4)."""
        segments, origin = segments[rows], origin[rows]
        near = neighbour_points(raw.points, raw.valid[0], segments, origin, self.neighbours, self.neighbour_window)
        everywhere = boundaries(raw.points, raw.offsets[0].float())
        duration = segments[:, 1] - segments[:, 0]
        ambiguity = boundary_ambiguity(everywhere, near, duration, self.spread, self.spread_floor)
        return ambiguity.double().cpu().numpy()

    # Training -----------------------------------------------------------------------------------------------------

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        if run.phase_index == 0:
            yield from super().batches(run, generator)
            return
        train = run.data.train
        known, pseudo = self.on_grid(train, train.known_segments()), self.on_grid(train, self.pseudo_segments(run))
        usable = np.unique(pseudo.segments.video)
        labelled = endless(labelled_rows(run.data), self.batch, generator)
        others = endless(usable, self.batch, generator) if len(usable) else None
        for rows in islice(labelled, self.evaluate_steps):
            samples = [self.crop(known, int(row), self.config(run.data), generator) for row in rows]
            batch: Batch = {"labelled": self.collate(samples, run)}
            if others is not None:
                guessed = [self._pseudo_sample(pseudo, int(row), usable, run, generator) for row in next(others)]
                batch["unlabelled"] = self.unlabelled_batch(guessed, samples, run, generator)
            yield batch

    def unlabelled_batch(
        self, samples: Sequence[Sample], labelled: Sequence[Sample], run: Run, generator: np.random.Generator
    ) -> Batch:
        """Pseudo-labelled samples as a batch; the labelled ones of the same step are at hand for mixing."""
        return self.collate(samples, run)

    def _pseudo_sample(
        self, videos: GridVideos, row: int, usable: np.ndarray, run: Run, generator: np.random.Generator
    ) -> Sample:
        """A cropped pseudo-labelled video, now and then in front of another one's background."""
        sample = self.crop(videos, row, self.config(run.data), generator)
        if self.background and generator.random() < self.background:
            donor = videos.sample(int(generator.choice(usable)))
            grid = videos.grid(row)
            return swap_background(sample, donor, grid.window / grid.stride, generator)
        return sample

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        parts: Losses = {}
        if run.phase_index == 0 or self.keep_supervised or "unlabelled" not in batch:
            parts = super().loss(network, batch, run)
        if "unlabelled" in batch:
            parts |= self.unlabelled_loss(network, batch["unlabelled"], run)
        return parts

    def unlabelled_loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        """The unsupervised loss of eq. 3, or of eq. 8 when ``consistent``."""
        found, classification, regression = self.detect(network, batch, run, "unlabelled")
        parts = {"pseudo_classification": self.alpha * classification}
        if not self.consistent:
            return {**parts, "pseudo_regression": self.alpha * regression}
        located = boundaries(found.points, found.offsets.float())
        steps = temporal_consistency(located, found.points[:, 3], batch["instance"], batch["instances"])
        return {**parts, "consistency": self.alpha * steps}
