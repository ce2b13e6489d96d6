"""SPOT's network as a detector: windows, masks, scores and decoding into segments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from methods.semi_localization.parts.batches import endless
from methods.semi_localization.parts.detector import Detector, Labels, candidates_of, scores_of
from methods.semi_localization.parts.masks import (
    MaskNetwork,
    class_loss,
    mask_loss,
    mask_segments,
    snippet_targets,
)
from methods.semi_localization.parts.masks_released import (
    ReleasedMaskNetwork,
    released_candidates,
    released_class_loss,
    released_mask_loss,
    released_suppression,
)
from methods.semi_localization.parts.windows import Windows
from suite.evaluate.scoring.pool import Thinning
from suite.evaluate.segments import Segments
from suite.evaluate.suppression import SoftRule, best_rows, soft_nms, video_class_groups
from suite.method import Batch, Losses, Run, Scores, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos


class MaskDetector(Detector):
    """Windows in, classes and masks of their snippets out, read as segments."""

    length: int = hyper(100, low=8, high=1024, symbol="T", source="§4", help="cells of a window")
    resize: bool = hyper(False, source="§4, ActivityNet: true", help="stretch every video to one window")
    width: int = hyper(256, low=8, high=4096, source="released code: of the mask branch", help="hidden units")
    heads: int = hyper(4, low=1, high=64, source="released code")
    top_snippets: int = hyper(
        40, low=1, high=1024, source="released code: 10", help="snippets of a window that give segments"
    )
    arithmetic: str = hyper(
        "paper",
        choices=("paper", "released"),
        source="released code: released",
        help="network, losses, candidates and suppression as the paper writes, or as the code computes",
    )
    nms_sigma: float = hyper(0.3, low=0.01, high=10.0, symbol="σ", post=True, help="of soft suppression")
    min_score: float = hyper(1e-3, low=0.0, high=1.0, post=True, help="below it a segment is dropped")
    max_segments: int = hyper(200, low=1, high=100_000, post=True, help="segments per video")

    def network(self, data: TaskData[Videos]) -> nn.Module:
        built = ReleasedMaskNetwork if self.arithmetic == "released" else MaskNetwork
        return built(data.train.rows.shape[1], self.width, self.heads, self.length, len(data.classes))

    def windows(self, videos: Videos, rows: np.ndarray) -> Windows:
        """All windows of some videos."""
        return Windows.over(videos, rows, self.length, self.resize)

    def count(self, videos: Videos, labels: Labels) -> int:
        return len(self.windows(videos, labels.rows))

    def batches(self, run: Run, labels: Labels, size: int, generator: np.random.Generator) -> Iterator[Batch]:
        windows = self.windows(run.data.train, labels.rows)
        for rows in endless(np.arange(len(windows)), size, generator):
            segments = (windows.segments(int(row), labels.segments) for row in rows)
            targets = [snippet_targets(*one, self.length, len(run.data.classes)) for one in segments]
            label, mask = (torch.from_numpy(np.stack(part)) for part in zip(*targets, strict=True))
            yield {"features": windows.stacked(rows), "label": label, "mask": mask}

    def loss(self, network: nn.Module, batch: Batch, run: Run, group: str) -> Losses:
        classes, masks = network(batch["features"])
        foreground = batch["label"] < classes.shape[2] - 1
        class_part, mask_part = self.losses(classes, masks, batch["label"], batch["mask"], foreground)
        return {"class": class_part, "mask": mask_part}

    def losses(
        self, classes: Tensor, masks: Tensor, label: Tensor, mask: Tensor, rows: Tensor, taken: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Half the class loss over the snippets ``taken``, and the loss of the masks of ``rows`` (both (B, T) bool).

        Released losses take all snippets and all rows, masks of background being empty.
        """
        if self.arithmetic == "released":
            return 0.5 * released_class_loss(classes, label), released_mask_loss(masks.sigmoid(), mask)
        return 0.5 * class_loss(classes, label, taken), mask_loss(masks, mask, rows)

    def score(self, network: nn.Module, samples: Videos, run: Run) -> Scores:
        rows = run.each("scoring: video", range(len(samples)))
        return scores_of(self._segments(network, samples, row, run) for row in rows)

    def _segments(self, network: nn.Module, videos: Videos, row: int, run: Run) -> Segments:
        windows = self.windows(videos, np.array([row]))
        classes, masks = network(windows.stacked(np.arange(len(windows))).to(run.device))
        logits, mask = classes.float().cpu().numpy(), masks.float().sigmoid().cpu().numpy()
        parts = []
        for window in range(len(windows)):
            start, cell = windows.edges(window)
            label, first, last, score = self.candidates(logits[window], mask[window])
            parts.append(np.stack([label, start + first * cell, start + last * cell, score]))
        label, begins, ends, score = np.concatenate(parts, axis=1) if parts else np.zeros((4, 0))
        begins, ends = np.clip([begins, ends], 0.0, float(videos.duration[row]))
        return Segments(np.full(len(label), row), label.astype(np.int64), begins, ends, score)

    def candidates(self, logits: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Label, first cell, cell behind the last, and score (N,) of one window's candidates.

        Args:
            logits: (T, C + 1) of the snippets.
            mask: (T, T) probabilities, row t the mask of snippet t.
        """
        if self.arithmetic == "released":
            found = released_candidates(logits, mask, self.top_snippets)
            score = found.located * found.classified
            scored = np.isfinite(score)  # released code writes NaN for runs of three cells or fewer
            return found.label[scored], found.start[scored], found.end[scored], score[scored]
        probability = torch.from_numpy(logits).softmax(1).numpy()[:, :-1]
        best, rows = probability.max(1), []
        for snippet in np.argsort(-best, kind="stable")[: self.top_snippets]:
            label = int(probability[snippet].argmax())
            for first, last in mask_segments(mask[snippet], int(snippet)):
                rows.append((label, first, last, best[snippet] * mask[snippet, first:last].mean()))
        columns = np.array(rows, dtype=np.float64).reshape(-1, 4)
        return columns[:, 0], columns[:, 1], columns[:, 2], columns[:, 3]

    def decode(self, scores: Scores, samples: Videos) -> Segments:
        found = candidates_of(scores)
        if self.arithmetic == "released":
            rows, values = suppressed_by_video(found)
        else:
            group = video_class_groups(found.video, found.label)
            rows, values = soft_nms(
                found.start, found.end, scores["score"], sigma=self.nms_sigma, min_score=self.min_score, group=group
            )
        best = best_rows(values, self.max_segments, found.video[rows])
        return replace(found.take(rows[best]), score=values[best])

    def thinning(self) -> Thinning | None:
        if self.arithmetic == "released":
            return None
        return SoftRule(self.max_segments, self.nms_sigma, min_score=self.min_score)


def suppressed_by_video(found: Segments) -> tuple[np.ndarray, np.ndarray]:
    """Rows that the released suppression picks in each video, over all classes, and their scores."""
    assert found.score is not None
    rows, values = [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
    for video in np.unique(found.video):
        own = np.flatnonzero(found.video == video)
        picked, value = released_suppression(found.start[own], found.end[own], found.score[own])
        rows.append(own[picked])
        values.append(value)
    return np.concatenate(rows), np.concatenate(values)
