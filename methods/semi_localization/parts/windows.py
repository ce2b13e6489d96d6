"""Untrimmed videos as sequences of one length, for networks on a boundary map: sliding windows or stretched whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from methods.networks.actionformer.preparation import Grid, resize_features
from methods.networks.bmn.targets import Code, boundary_targets, proposal_targets
from suite.evaluate.segments import Segments
from suite.tasks.localization.samples import Videos

LEAST_INSIDE = 0.9  # share of a segment that a window must hold to learn from it


@dataclass(frozen=True)
class Windows:
    """W windows over the videos: ``video`` (W,) and ``first`` (W,) cell, each ``length`` cells long.

    With ``resize`` a video is one window, stretched to ``length``; otherwise windows overlap by half, the last one ends
    with the video and a short video is padded with zeros.
    """

    videos: Videos
    video: np.ndarray
    first: np.ndarray
    length: int
    resize: bool

    @classmethod
    def over(cls, videos: Videos, rows: np.ndarray, length: int, resize: bool) -> Windows:
        """All windows of the videos ``rows``."""
        owner, first = [], []
        for row in rows:
            last = 0 if resize else max(0, int(videos.lengths[row]) - length)
            starts = sorted({*range(0, last + 1, max(1, length // 2)), last})
            owner += [int(row)] * len(starts)
            first += starts
        return cls(videos, np.array(owner, dtype=np.int64), np.array(first, dtype=np.int64), length, resize)

    def __len__(self) -> int:
        return len(self.video)

    def take(self, rows: np.ndarray) -> Windows:
        """The windows at ``rows``."""
        return Windows(self.videos, self.video[rows], self.first[rows], self.length, self.resize)

    def edges(self, window: int) -> tuple[float, float]:
        """Seconds of the window's first cell border and of one cell."""
        v = self.videos
        row = self.video[window]
        if self.resize:
            return 0.0, float(v.duration[row]) / self.length
        grid = Grid(float(v.fps[row]), float(v.stride[row]), float(v.window[row]), float(v.duration[row]))
        # a snippet stands for the stride around its centre
        return float(
            self.first[window] * grid.stride + (grid.window - grid.stride) / 2
        ) / grid.fps, grid.stride / grid.fps

    def features(self, window: int) -> np.ndarray:
        """(length, D) float32."""
        native = np.asarray(self.videos.features(int(self.video[window])), dtype=np.float32)
        if self.resize:
            return resize_features(native, self.length)
        part = native[self.first[window] : self.first[window] + self.length]
        return np.pad(part, [(0, self.length - len(part)), (0, 0)])

    def stacked(self, rows: np.ndarray) -> Tensor:
        """(B, length, D) features of the windows ``rows``."""
        return torch.from_numpy(np.stack([self.features(int(row)) for row in rows]))

    def segments(self, window: int, known: Segments) -> tuple[np.ndarray, np.ndarray]:
        """Segments (N, 2) in cells of the window, clipped to it, and labels (N,): those that it holds almost whole."""
        own = known.take(np.flatnonzero(known.video == self.video[window]))
        start, cell = self.edges(window)
        placed = (np.stack([own.start, own.end], axis=1) - start) / cell
        clipped = np.clip(placed, 0, self.length)
        size = placed[:, 1] - placed[:, 0]
        kept = (size > 0) & (clipped[:, 1] - clipped[:, 0] >= LEAST_INSIDE * size)
        return clipped[kept], own.label[kept]


def window_batch(
    windows: Windows, rows: np.ndarray, known: Segments, classes: int, cells: np.ndarray, extents: np.ndarray,
    shape: tuple[int, int], code: Code,
) -> dict[str, Tensor]:  # fmt: skip
    """Windows as a batch: features (B, T, D), start and end (B, T), tiou (B, rows, T), snippets (B, T, C).

    ``cells`` (K, 2) are the map's valid cells and ``extents`` (K, 2) the segments that they stand for.
    """
    batch = {name: [] for name in ("features", "start", "end", "tiou", "snippets")}  # type: dict[str, list[np.ndarray]]
    centre = np.arange(windows.length) + 0.5
    for row in rows:
        segments, labels = windows.segments(int(row), known)
        tiou = np.zeros(shape)
        tiou[cells[:, 0], cells[:, 1]] = proposal_targets(segments, extents)
        snippets = np.zeros((windows.length, classes))
        for (start, end), label in zip(segments, labels, strict=True):
            snippets[(centre >= start) & (centre <= end), label] = 1
        batch["features"].append(windows.features(int(row)))
        batch["start"].append(boundary_targets(segments[:, 0], windows.length, code))
        batch["end"].append(boundary_targets(segments[:, 1], windows.length, code))
        batch["tiou"].append(tiou)
        batch["snippets"].append(snippets)
    return {name: torch.from_numpy(np.stack(values).astype(np.float32)) for name, values in batch.items()}
