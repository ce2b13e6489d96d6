"""SPOT's network as a detector: windows, masks, scores and decoding into segments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from methods.semi_localization.parts.batches import endless
from methods.semi_localization.parts.detector import Detector, Labels
from methods.semi_localization.parts.masks import MaskNetwork, class_loss, mask_loss, mask_segments, snippet_targets
from methods.semi_localization.parts.windows import Windows
from suite.evaluate.segments import Segments
from suite.evaluate.suppression import best_rows, soft_nms, video_class_groups
from suite.method import Batch, Losses, Run, Scores, hyper
from suite.tasks.data import TaskData
from suite.tasks.localization.samples import Videos

COLUMNS = ("video", "label", "start", "end", "score")


class MaskDetector(Detector):
    """Windows in, classes and masks of their snippets out, read as segments."""

    length: int = hyper(100, low=8, high=1024, symbol="T", source="§4", help="cells of a window")
    resize: bool = hyper(False, source="§4, ActivityNet: true", help="stretch every video to one window")
    width: int = hyper(256, low=8, high=4096, source="released code: the attention's width")
    heads: int = hyper(4, low=1, high=64, source="released code")
    top_snippets: int = hyper(
        40, low=1, high=1024, source="released code: 10", help="snippets of a window that give segments"
    )
    nms_sigma: float = hyper(0.3, low=0.01, high=10.0, symbol="σ", post=True, help="of soft suppression")
    min_score: float = hyper(1e-3, low=0.0, high=1.0, post=True, help="below it a segment is dropped")
    max_segments: int = hyper(200, low=1, high=100_000, post=True, help="segments per video")

    def network(self, data: TaskData[Videos]) -> nn.Module:
        return MaskNetwork(data.train.rows.shape[1], self.width, self.heads, self.length, len(data.classes))

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
        return {
            "class": 0.5 * class_loss(classes, batch["label"]),
            "mask": mask_loss(masks, batch["mask"], foreground),
        }

    def score(self, network: nn.Module, samples: Videos, run: Run) -> Scores:
        parts = [self._segments(network, samples, row, run) for row in range(len(samples))]
        found = Segments.concatenate([Segments.empty(scored=True), *parts])
        return {name: np.asarray(getattr(found, name)) for name in COLUMNS}

    def _segments(self, network: nn.Module, videos: Videos, row: int, run: Run) -> Segments:
        windows = self.windows(videos, np.array([row]))
        classes, masks = network(windows.stacked(np.arange(len(windows))).to(run.device))
        probability = classes.float().softmax(2)[:, :, :-1].cpu().numpy()
        mask = masks.float().sigmoid().cpu().numpy()
        rows = []
        for window in range(len(windows)):
            start, cell = windows.edges(window)
            best = probability[window].max(1)
            for snippet in np.argsort(-best, kind="stable")[: self.top_snippets]:
                label = int(probability[window, snippet].argmax())
                for first, last in mask_segments(mask[window, snippet], int(snippet)):
                    score = best[snippet] * mask[window, snippet, first:last].mean()
                    rows.append((row, label, start + first * cell, start + last * cell, score))
        columns = np.array(rows).reshape(-1, 5).T
        limit = float(videos.duration[row])
        start, end = np.clip(columns[2:4], 0.0, limit)
        return Segments(columns[0].astype(np.int64), columns[1].astype(np.int64), start, end, columns[4])

    def decode(self, scores: Scores, samples: Videos) -> Segments:
        found = Segments(*(scores[name] for name in COLUMNS))
        group = video_class_groups(found.video, found.label)
        rows, values = soft_nms(
            found.start, found.end, scores["score"], sigma=self.nms_sigma, min_score=self.min_score, group=group
        )
        best = best_rows(values, self.max_segments, found.video[rows])
        return replace(found.take(rows[best]), score=values[best])
