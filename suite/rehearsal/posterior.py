"""Writing the generator's posterior beside a pack, as :mod:`suite.data.known` reads it."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import numpy as np

from suite.data.known import CLASSES, IDS, POSTERIOR


class PosteriorFile:
    """An ``.npz`` that is written array by array, with the same bytes whenever it is written."""

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED)

    def __enter__(self) -> PosteriorFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    def add_video(self, name: str, posterior: np.ndarray) -> None:
        """``posterior`` (L, C) of a video; classes that never get any probability are left out."""
        possible = np.flatnonzero(posterior.any(axis=0))
        self._put(f"{name}/{CLASSES}", possible.astype(np.int32))
        self._put(f"{name}/{POSTERIOR}", posterior[:, possible].astype(np.float32))

    def add_clips(self, ids: np.ndarray, posterior: np.ndarray) -> None:
        """``posterior`` (N, C) of all clips (N,) at once."""
        for name, values in ((IDS, ids.astype(str)), (POSTERIOR, posterior.astype(np.float32))):
            self._put(name, values)

    def _put(self, name: str, values: np.ndarray) -> None:
        # A fixed time: the archive would otherwise hold the moment of writing.
        entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
        with self._archive.open(entry, "w", force_zip64=True) as file:
            np.lib.format.write_array(file, np.ascontiguousarray(values), allow_pickle=False)


def by_half(value: float, width: int) -> Mapping[str, np.ndarray]:
    """(width,) shares of noise variance that a video's snippets share (``kept``) and do not share (``fresh``).

    RGB has ``value`` of it, flow a third: scenes stay, motion changes.
    """
    share = np.where(np.arange(width) < width // 2, value, value / 3)
    return {"kept": np.sqrt(share), "fresh": np.sqrt(1 - share)}
