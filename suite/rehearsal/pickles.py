"""Feature files as the authors of An Action Is Worth Multiple Words publish them: pickled dicts of arrays.

Nothing here opens a pickle; packs are read by :mod:`suite.data.array_pickles`, as the published ones are.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

PROTOCOL = 4  # of the published files; the same arrays give the same bytes


def write_clip_features(path: Path, ids: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> None:
    """Write ``ids`` (N,) int, ``labels`` (N,) int and ``rows`` (N, D) float32 of one modality."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"video_ids": ids.astype(np.int64), "labels": labels.astype(np.int64), "clip_features": rows}
    with path.open("wb") as file:
        pickle.dump(content, file, protocol=PROTOCOL)
