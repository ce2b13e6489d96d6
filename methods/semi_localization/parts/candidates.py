"""From dense predictions of ActionFormer to instances: what of an unlabelled video enters the ranking (NPL, §3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from methods.networks.actionformer.decoding import AREA_PAD, candidates, to_seconds
from methods.networks.actionformer.decoding import Candidates as Found
from methods.networks.actionformer.model import Detections
from methods.networks.actionformer.preparation import Grid
from methods.semi_localization.parts import pseudo_labels
from methods.semi_localization.parts.anchor_free import AnchorFree
from methods.semi_localization.parts.detector import NOTHING
from methods.semi_localization.parts.part import Part
from methods.semi_localization.parts.pseudo_labels import Predicted
from suite.evaluate.segments import Segments
from suite.evaluate.suppression import best_rows, soft_nms
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
    """Which predictions of an unlabelled video enter the ranking, with which score, and what those not kept teach.

    The paper says little of it: each reading has a name, and the first is the default.
    """

    floor: float = hyper(
        0.1, low=0.0, high=1.0, help="lowest score, after suppression, of a prediction that enters the ranking"
    )
    point_classes: str = hyper(
        "best", choices=("best", "every"), help="classes that a point predicts: its best, or all"
    )
    suppression: str = hyper(
        "across", choices=("across", "within", "none"), help="of overlapping predictions: across classes, within each"
    )
    ranked_score: str = hyper(
        "suppressed",
        choices=("suppressed", "foreground"),
        help="the score that is ranked: after suppression, or before",
    )
    rejected: str = hyper(
        "ignored",
        choices=("ignored", "background"),
        help="predictions that were ranked and not kept: left out of the classification loss, or learned as background",
    )

    def instances(
        self, detector: AnchorFree, network: nn.Module, rows: Sequence[int], run: Run
    ) -> Iterator[tuple[int, Instances]]:
        """Each of the training videos ``rows`` with its predictions, in the order of
        :meth:`~methods.semi_localization.parts.anchor_free.AnchorFree.outputs`."""
        videos = detector.on_grid(run.data.train)
        for row, dense in detector.outputs(network, videos, rows, run, "pseudo-labels: video"):
            yield row, self._entering(detector, dense, videos.grid(row), run)

    def _entering(self, detector: AnchorFree, dense: Detections, grid: Grid, run: Run) -> Instances:
        """The dense predictions of a video that are above the floor, thinned by soft suppression."""
        # Suppression only lowers scores, so what is below the floor before it need not enter.
        threshold = max(self.floor, detector.pre_threshold)
        one = self.point_classes == "best"
        found = candidates(dense, 0, threshold, detector.per_level, detector.shortest, one)
        rows, score = self._thinned(found, detector)
        kept = torch.from_numpy(rows).to(run.device)
        labels = found.labels.cpu().numpy()[rows]
        return Instances(dense, grid, found.segments[kept], found.points[kept], labels, score)

    def _thinned(self, found: Found, detector: AnchorFree) -> tuple[np.ndarray, np.ndarray]:
        """Rows that survive suppression, best first, and the scores by which they are ranked."""
        start, end, score = (x.double().cpu().numpy() for x in (*found.segments.T, found.scores))
        if self.suppression == "none":
            rows = best_rows(score, len(score))
            return rows, score[rows]
        group = found.labels.cpu().numpy() if self.suppression == "within" else np.zeros(len(score), dtype=np.int64)
        rows, decayed = soft_nms(
            start, end, score, sigma=detector.nms_sigma, min_score=self.floor, limit=detector.max_segments,
            group=group, pad=AREA_PAD,
        )  # fmt: skip
        return rows, decayed if self.ranked_score == "suppressed" else score[rows]

    def uncertain(self, run: Run) -> Segments:
        """The predictions that teach neither an action nor background."""
        return pseudo_labels.rejected(run) if self.rejected == "ignored" else NOTHING
