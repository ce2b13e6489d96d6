"""RGB and flow features of the same clips, joined by clip id and concatenated without normalization."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from suite.data.readers.clip_features import ClipFeatures
from suite.data.storage.rows import LazyRows

ROWS_AT_ONCE = 2048


class TwoStreams:
    """One part of a dataset in two pickles; the arrays of either file may be in any order."""

    def __init__(self, rgb: Path, flow: Path) -> None:
        self.streams = (ClipFeatures(rgb), ClipFeatures(flow))

    @property
    def ids(self) -> np.ndarray:
        """(N,) the clips' numbers, ascending."""
        return np.sort(self.streams[0].ids)

    def rows(self, ids: np.ndarray) -> LazyRows:
        """(len(ids), D_rgb + D_flow) float32, streamed; raises :class:`DataError` for a clip that a file lacks."""
        places = [stream.find(ids) for stream in self.streams]

        def blocks() -> Iterator[np.ndarray]:
            for start in range(0, len(ids), ROWS_AT_ONCE):
                part = slice(start, start + ROWS_AT_ONCE)
                yield np.hstack([stream.take(place[part]) for stream, place in zip(self.streams, places)])

        return LazyRows((len(ids), sum(stream.rows.shape[-1] for stream in self.streams)), blocks)
