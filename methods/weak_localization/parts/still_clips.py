"""Still stretches of videos: CMCS's hard negatives, taken for background (Liu, Jiang and Wang, CVPR 2019, §3.3).

The released masks come from the intensity of optical flow at every frame, which feature files do not hold. Here a
snippet is as still as its features are like those of its neighbours; what follows is the released rule, in snippets.
"""

from __future__ import annotations

import numpy as np

from suite.tasks.localization.samples import Videos

SECONDS = 2.0  # released code: a median filter of 49 frames, and clips of 50 frames or more, at 25 a second


def change(features: np.ndarray) -> np.ndarray:
    """(L,) mean distance of each snippet's features (L, D) to those of its neighbours; 0 for a single snippet."""
    steps = np.linalg.norm(np.diff(np.asarray(features, dtype=np.float64), axis=0), axis=1)
    total = np.pad(steps, (1, 0)) + np.pad(steps, (0, 1))
    sides = np.full(len(features), 2.0)
    sides[[0, -1]] = 1.0
    return np.asarray(total / sides)


def still_stretches(motion: np.ndarray, quantile: float, shortest: int) -> np.ndarray:
    """(L,) bool, runs of at least ``shortest`` snippets whose ``motion`` (L,) lies below its ``quantile``.

    Single outliers are smoothed away by a median over about ``shortest`` snippets first.
    """
    below = motion < np.quantile(motion, quantile)
    half = (shortest - 1) // 2
    counts = np.convolve(below, np.ones(2 * half + 1, dtype=np.int64))[half : half + len(below)]
    smooth = counts > half
    edges = np.flatnonzero(np.diff(smooth.astype(np.int8), prepend=0, append=0))
    for first, behind in edges.reshape(-1, 2):
        smooth[first:behind] &= behind - first >= shortest
    return smooth


def still_clips(videos: Videos, quantile: float, low: float, high: float) -> np.ndarray:
    """(ΣL,) bool, the still snippets of every video of which they make up from ``low`` to ``high``."""
    still = np.zeros(len(videos.rows), dtype=bool)
    for video in range(len(videos)):
        shortest = max(1, round(SECONDS / float(videos.snippet_seconds[video])))
        found = still_stretches(change(videos.features(video)), quantile, shortest)
        if low <= found.mean() <= high:
            still[videos.offsets[video] : videos.offsets[video + 1]] = found
    return still
