"""From dense predictions of ActionFormer to instances: what of an unlabelled video enters the ranking (NPL, §3.2)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from methods.networks.actionformer.decoding import AREA_PAD, candidates, to_seconds
from methods.networks.actionformer.model import Detections
from methods.networks.actionformer.preparation import Grid
from methods.semi_localization.parts.anchor_free import AnchorFree
from methods.semi_localization.parts.part import Part
from methods.semi_localization.parts.pseudo_labels import Predicted
from suite.evaluate.segments import Segments
from suite.evaluate.suppression import soft_nms
from suite.method import Run, hyper


class Instances(NamedTuple):
    """N instances of one video with the dense outputs that they were chosen from."""

    dense: Detections
    grid: Grid
    segments: Tensor  # (N, 2) grid cells
    points: Tensor  # (N,) index of the point that predicts each
    labels: np.ndarray  # (N,)
    score: np.ndarray  # (N,)

    def ranked_by(self, ambiguity: np.ndarray) -> Predicted:
        """The instances in seconds, with the ambiguity (N,) of their boundaries."""
        start, end = self.segments.double().cpu().numpy().T
        placed = to_seconds(Segments(np.zeros_like(self.labels), self.labels, start, end), [self.grid])
        return Predicted(self.labels, placed.start, placed.end, self.score, ambiguity)


class Candidates(Part):
    """Which predictions of an unlabelled video enter the ranking; the paper says little of it."""

    floor: float = hyper(
        0.1, low=0.0, high=1.0, help="lowest score, after suppression, of a prediction that enters the ranking"
    )

    def instances(self, detector: AnchorFree, network: nn.Module, row: int, run: Run) -> Instances:
        """Predictions for training video ``row``: dense ones above the floor, thinned by soft suppression."""
        videos = detector.on_grid(run.data.train)
        dense = detector.detections(network, videos, row, run.device)
        threshold = max(self.floor, detector.pre_threshold)
        found = candidates(dense, 0, threshold, detector.per_level, detector.shortest)
        start, end, score = (x.double().cpu().numpy() for x in (*found.segments.T, found.scores))
        labels = found.labels.cpu().numpy()
        rows, _ = soft_nms(
            start, end, score, sigma=detector.nms_sigma, min_score=self.floor, limit=detector.max_segments,
            group=labels, pad=AREA_PAD,
        )  # fmt: skip
        kept = torch.from_numpy(rows).to(run.device)
        return Instances(dense, videos.grid(row), found.segments[kept], found.points[kept], labels[rows], score[rows])
