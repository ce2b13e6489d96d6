"""Self-training in two phases: learn from labelled videos, label the others, learn from both (NPL, §3.1, eqs. 1-3).

Each step of the second phase takes a batch of labelled and one of pseudo-labelled videos; each group has a loss
normalizer of its own. Videos for which no pseudo-label survives are left out: taken as they are, they would teach that
nothing happens in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from methods.networks.actionformer.decoding import AREA_PAD, boundaries, candidates, to_seconds
from methods.networks.actionformer.model import Detections
from methods.networks.actionformer.preparation import Sample
from methods.semi_localization import analysis
from methods.semi_localization.anchor_free import AnchorFree
from methods.semi_localization.background import swap_background
from methods.semi_localization.base import labelled_rows, unlabelled_rows
from methods.semi_localization.batches import GridVideos, endless
from methods.semi_localization.consistency import temporal_consistency
from methods.semi_localization.external import class_scores_of
from methods.semi_localization.pseudo_labels import (
    NEIGHBOURS,
    SPREADS,
    Neighbours,
    Spread,
    boundary_ambiguity,
    neighbour_points,
    top_filter,
)
from suite.data.samples import TaskData, Videos
from suite.evaluate.segments import Segments
from suite.evaluate.suppression import soft_nms
from suite.method import Batch, Losses, Phase, Run, hyper

STARTS: dict[str, Literal["continue", "average", "fresh"]] = {
    "raw": "continue",
    "average": "average",
    "fresh": "fresh",
}
PSEUDO = ("video", "label", "start", "end", "score", "ambiguity", "kept")


class TwoPhase(AnchorFree):
    """Pre-training, pseudo-labelling, joint training. Subclasses rank and choose the pseudo-labels.

    As it stands: ranked by foreground score, the best ``positives`` of a video kept, both losses on pseudo-labels.
    """

    alpha: float = hyper(1.0, low=0.0, high=100.0, symbol="α", source="NPL §4.2, eq. 1")
    positives: int = hyper(15, low=1, high=10_000, symbol="N_pos", source="NPL §4.2, Table 5")
    floor: float = hyper(
        0.1, low=0.0, high=1.0, help="lowest score, after suppression, of a prediction that enters the ranking"
    )
    start: str = hyper(
        "raw", choices=("raw", "average", "fresh"), help="weights that the second phase starts from (paper: silent)"
    )
    labels_from: str = hyper("average", choices=("average", "raw"), help="first-phase weights that give pseudo-labels")
    refresh: int = hyper(0, low=0, high=10_000, help="label anew every so many evaluations; 0: once (as STAC)")
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

    # What subclasses decide ---------------------------------------------------------------------------------------

    @property
    def consistent(self) -> bool:
        """Whether the temporal consistency loss replaces the regression to pseudo-boundaries (eq. 8)."""
        return False

    def rank(self, score: np.ndarray, ambiguity: np.ndarray) -> np.ndarray:
        """(N,) what the predictions of a video are ranked by."""
        return score

    def choose(self, labels: np.ndarray, rank: np.ndarray, score: np.ndarray, classes: int) -> np.ndarray:
        """Rows of one video that become pseudo-labels."""
        return top_filter(rank, self.positives)

    # Phases -------------------------------------------------------------------------------------------------------

    def phases(self, data: TaskData[Videos]) -> Sequence[Phase]:
        first = self.supervised_phase(data, "labelled", self.labelled_steps(data), select=False)
        second = self.supervised_phase(data, "pseudo-labelled", self.unlabelled_steps(data))
        return [first, replace(second, start=STARTS[self.start])]

    def after_step(self, run: Run) -> None:
        if run.phase_index == 0 and self.is_last_step(run):
            averaged = run.teacher if self.labels_from == "average" else None
            self.label(averaged or run.network, run)

    def begin(self, run: Run) -> None:
        if run.phase_index == 1 and "pseudo_video" not in run.memory:  # a budget without a first phase
            self.label(run.network, run)

    def begin_epoch(self, run: Run) -> None:
        if run.phase_index == 1 and self.refresh and run.epoch and run.epoch % self.refresh == 0:
            self.label(run.teacher or run.network, run)

    # Pseudo-labels ------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def label(self, network: nn.Module, run: Run) -> None:
        """Predict the unlabelled videos and remember what enters the ranking, and which of it is kept."""
        training = network.training
        network.eval()
        videos = self.on_grid(run.data.train)
        parts = [self._label_video(network, videos, int(row), run) for row in unlabelled_rows(run.data)]
        network.train(training)
        columns = zip(*parts, strict=True) if parts else [[np.zeros(0)]] * len(PSEUDO)
        for name, column in zip(PSEUDO, columns, strict=True):
            run.memory[f"pseudo_{name}"] = torch.from_numpy(np.concatenate(column))

    def _label_video(self, network: nn.Module, videos: GridVideos, row: int, run: Run) -> list[np.ndarray]:
        raw = self.detections(network, videos, row, run.device)
        found = candidates(raw, 0, max(self.floor, self.pre_threshold), self.per_level, self.shortest)
        start, end, score = (x.double().cpu().numpy() for x in (*found.segments.T, found.scores))
        group = None if self.class_agnostic else found.labels.cpu().numpy()
        rows, _ = soft_nms(
            start, end, score, sigma=self.nms_sigma, min_score=self.floor, limit=self.max_segments, group=group,
            pad=AREA_PAD,
        )  # fmt: skip
        labels = self._named(found.labels.cpu().numpy()[rows], row, run)
        ambiguity = self._ambiguity(raw, torch.from_numpy(rows).to(run.device), found.segments, found.points)
        rank = self.rank(score[rows], ambiguity)
        kept = np.zeros(len(rows), dtype=bool)
        kept[self.choose(labels, rank, score[rows], len(run.data.classes))] = True
        placed = Segments(np.zeros(len(rows), dtype=np.int64), labels, start[rows], end[rows])
        seconds = to_seconds(placed, [videos.grid(row)])
        return [np.full(len(rows), row), labels, seconds.start, seconds.end, score[rows], ambiguity, kept]

    def _named(self, labels: np.ndarray, row: int, run: Run) -> np.ndarray:
        """Classes of pseudo-labels; a class-agnostic network takes the video's best external class."""
        if not self.class_agnostic:
            return labels
        return np.full(len(labels), class_scores_of(run.data, run.data.train)[row].argmax())

    def _ambiguity(self, raw: Detections, rows: Tensor, segments: Tensor, origin: Tensor) -> np.ndarray:
        """Boundary ambiguity of the predictions at ``rows`` (eq. 4)."""
        segments, origin = segments[rows], origin[rows]
        near = neighbour_points(
            raw.points,
            raw.valid[0],
            segments,
            origin,
            self.neighbours,
            self.neighbour_window,
        )
        everywhere = boundaries(raw.points, raw.offsets[0].float())
        duration = segments[:, 1] - segments[:, 0]
        ambiguity = boundary_ambiguity(everywhere, near, duration, self.spread, self.spread_floor)
        return ambiguity.double().cpu().numpy()

    def pseudo_segments(self, run: Run, kept: bool = True) -> Segments:
        """The remembered predictions in seconds: those kept as pseudo-labels, or all that entered the ranking."""
        columns = [run.memory[f"pseudo_{name}"].cpu().numpy() for name in PSEUDO[:5]]
        found = Segments(*columns)
        return found.take(run.memory["pseudo_kept"].cpu().numpy().astype(bool)) if kept else found

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
        config = self.config(run.data)
        sample = self.crop(videos, row, config, generator)
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

    # Analyses -----------------------------------------------------------------------------------------------------

    def analyses(self, run: Run) -> dict[str, float]:
        """What pseudo-labels are worth against the withheld annotation (Table 3, Figs. 3-5); learning never sees it."""
        if run.phase_index == 0 or "pseudo_video" not in run.memory:
            return {}
        truth = run.data.train.segments
        hidden = truth.take(np.flatnonzero(~np.asarray(run.data.train.labelled)[truth.video]))
        kept, ranked = self.pseudo_segments(run), self.pseudo_segments(run, kept=False)
        _, overlap = analysis.nearest_truth(ranked, hidden)
        worth = analysis.quality(kept, hidden)
        ambiguity = run.memory["pseudo_ambiguity"].cpu().numpy()
        values = {
            "pseudo class accuracy": worth.class_accuracy,
            "pseudo tIoU": worth.mean_tiou,
            "pseudo labels": worth.number / max(1, len(unlabelled_rows(run.data))),
            "ranked predictions": len(ranked) / max(1, len(unlabelled_rows(run.data))),
            "class imbalance": analysis.class_imbalance(kept, hidden, len(run.data.classes)),
            "score correlation": analysis.correlation(np.asarray(ranked.score), overlap),
            "ambiguity correlation": analysis.correlation(-ambiguity, overlap),
        }
        return {name: value for name, value in values.items() if np.isfinite(value)}
