"""Features published as pickles: dicts with ``video_ids``, ``labels`` and ``clip_features``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from suite.data.array_pickles import load_arrays
from suite.errors import DataError


class ClipFeatures:
    """One modality: ``ids`` (N,) int, ``labels`` (N,) or None, ``rows`` (N, D) float or (N, frames, D)."""

    def __init__(self, path: Path) -> None:
        content = load_arrays(path)
        features = content.get("clip_features") if isinstance(content, dict) else None
        if isinstance(features, tuple) and len(features) == 1:
            features = features[0]
        ids = np.asarray(content.get("video_ids")) if isinstance(content, dict) else np.empty(0)
        if not isinstance(features, np.ndarray) or features.dtype.kind != "f" or ids.shape != features.shape[:1]:
            raise DataError(f"{path} holds no 'video_ids' (N,) with 'clip_features' (N, D); get the features again.")
        self.path, self.ids, self.rows = path, ids.astype(np.int64), features
        if len(np.unique(self.ids)) != len(self.ids):
            raise DataError(f"{path} holds features of some clips twice; get the features again.")

    def find(self, ids: np.ndarray) -> np.ndarray:
        """(M,) the rows of ``ids`` (M,); raises :class:`DataError` naming the first that is missing."""
        order = np.argsort(self.ids)
        place = order[np.minimum(np.searchsorted(self.ids, ids, sorter=order), len(order) - 1)]
        missing = np.flatnonzero(self.ids[place] != ids)
        if len(missing):
            raise DataError(f"{self.path} has no features of clip {ids[missing[0]]}; get the features again.")
        return np.asarray(place)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """(n, D) float32 features of ``rows``, averaged over frames where the file keeps them apart."""
        found = self.rows[rows].astype(np.float32)
        return found.mean(axis=1) if found.ndim == 3 else found
