"""From features and seconds to training samples: the feature grid, resizing, cleaning and random truncation.

Source: the data preparation of ActionFormer's released code. Positions on the grid count snippets: snippet ``i`` sees
``window`` frames from frame ``i * stride`` on, and its centre has grid position ``i``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F


class Grid(NamedTuple):
    """How snippets lie on the time line of one video."""

    fps: float  # frames per second
    stride: float  # frames between snippets
    window: float  # frames a snippet sees
    duration: float  # seconds

    def to_grid(self, seconds: np.ndarray) -> np.ndarray:
        """Seconds to grid positions; may be slightly negative."""
        return np.asarray((seconds * self.fps - self.window / 2) / self.stride)

    def to_seconds(self, positions: np.ndarray) -> np.ndarray:
        """Grid positions to seconds, clipped to the video."""
        return np.clip((positions * self.stride + self.window / 2) / self.fps, 0.0, self.duration)

    def resized(self, length: int, new_length: int) -> Grid:
        """The grid after resizing ``length`` snippets to ``new_length``: the whole video in equal parts."""
        stride = ((length - 1) * self.stride + self.window) / new_length
        return self._replace(stride=stride, window=stride)


NO_SEGMENTS = np.zeros((0, 2))


class Sample(NamedTuple):
    """Features (L, D) with segments (N, 2) on their grid and labels (N,).

    ``uncertain`` (M, 2) are segments that may be actions or not: neither is learned where they lie.
    """

    features: np.ndarray
    segments: np.ndarray
    labels: np.ndarray
    uncertain: np.ndarray = NO_SEGMENTS


def resize_features(features: np.ndarray, length: int) -> np.ndarray:
    """Linear interpolation over time (cell centres, borders held): (L, D) -> (length, D) float32."""
    if len(features) == length:
        return np.asarray(features, dtype=np.float32)
    channels_first = torch.from_numpy(np.array(features, dtype=np.float32)).T[None]
    return F.interpolate(channels_first, length, mode="linear", align_corners=False)[0].T.contiguous().numpy()


def inside_features(segments: np.ndarray, length: int, least: float = 0.5) -> np.ndarray:
    """(N,) bool: the segment (grid) has a length, starts within the features and lies in them by ``least`` of it."""
    start, end = segments[:, 0], segments[:, 1]
    within = np.clip(np.minimum(end, length) - np.maximum(start, 0), 0, None)
    return (end > start) & (start < length) & (within >= least * (end - start))


def truncate(
    sample: Sample,
    longest: int,
    draw: Callable[[int, int], int],
    crop: tuple[float, float] | None = None,
    least: float = 0.5,
    margin: float = 0.0,
    trials: int = 200,
) -> Sample:
    """Cut a random window of at most ``longest`` snippets, preferably one that holds an action.

    A video that fits is returned whole, or cropped to a random share of its length if ``crop`` gives the range.
    Segments that keep ``least`` of their length within ``margin`` cells of the window survive, clipped to it (uncertain
    ones do not decide whether the window holds an action). A video without segments is cut at its first draw.

    Args:
        sample: features, segments on the grid, labels.
        longest: training length in snippets.
        draw: ``draw(low, high)`` gives a random integer, both ends included.
        crop: smallest and largest share of the length.
        least: share of its length that a segment must keep.
        margin: cells beyond the window that still count, half a snippet's view.
        trials: draws before a window without action is accepted.
    """
    length = len(sample.features)
    if length <= longest:
        if crop is None:
            return sample
        low, high = max(round(crop[0] * length), 1), min(round(crop[1] * length), length)
        longest = draw(low, high)
        if longest == length:
            return sample
    for _ in range(trials):
        start = draw(0, length - longest)
        clipped, kept = _clip_segments(sample.segments, start - margin, start + longest + margin, least)
        if kept.any() or len(kept) == 0:
            break
    unclear, still = _clip_segments(sample.uncertain, start - margin, start + longest + margin, least)
    features = sample.features[start : start + longest]
    return Sample(features, clipped[kept] - start, sample.labels[kept], unclear[still] - start)


def _clip_segments(segments: np.ndarray, low: float, high: float, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Segments clipped to [low, high] and which of them keep ``least`` of a length that is not zero."""
    clipped = np.stack([np.maximum(segments[:, 0], low), np.minimum(segments[:, 1], high)], axis=1)
    length = segments[:, 1] - segments[:, 0]
    return clipped, (length > 0) & (np.clip(clipped[:, 1] - clipped[:, 0], 0, None) >= least * length)
