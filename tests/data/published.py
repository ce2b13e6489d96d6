"""Feature files in the layout that the authors of An Action Is Worth Multiple Words publish, with made-up features."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

CHANNELS = 3


def feature_of(number: int, offset: float) -> np.ndarray:
    """(CHANNELS,) float32 a feature that tells which clip and which modality it belongs to."""
    return (number + offset + np.arange(CHANNELS) / 8).astype(np.float32)


def write_features(path: Path, ids: np.ndarray, offset: float, frames: int = 0) -> None:
    """Write ``ids`` in a shuffled order; with ``frames``, features frame by frame whose mean is the feature."""
    ids = np.random.default_rng(len(ids)).permutation(ids)
    rows = np.stack([feature_of(int(i), offset) for i in ids])
    if frames:
        sway = np.linspace(-1, 1, frames, dtype=np.float32)
        rows = rows[:, None, :] + sway[None, :, None]
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"video_ids": ids, "labels": np.zeros(len(ids), dtype=np.int64), "clip_features": rows}
    with path.open("wb") as file:
        pickle.dump(content, file, protocol=4)
