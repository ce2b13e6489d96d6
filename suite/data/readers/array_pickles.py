"""Published feature files that are pickles, read without running anything they contain.

A pickle is a program; this reader lets it build NumPy arrays, containers, numbers and text, and refuses every other
name before it is looked up. Features released this way: dicts with ``video_ids``, ``labels`` and ``clip_features``.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from suite.errors import DataError

_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): lambda text, encoding: text.encode(encoding),  # bytes in the oldest protocols
    **{(module, "_reconstruct"): np.empty(0).__reduce__()[0] for module in _ARRAY_MODULES},
    **{(module, "scalar"): np.float64(0).__reduce__()[0] for module in _ARRAY_MODULES},
}


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no array")
        return ALLOWED[module, name]


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


def load_arrays(path: Path, encoding: str = "ASCII") -> Any:
    """The content of a pickle of arrays; ``encoding`` reads text that Python 2 wrote.

    Raises :class:`DataError` for a damaged file and for one that asks for anything but arrays, which is not run.
    """
    try:
        with path.open("rb") as file:
            return _Arrays(file, encoding=encoding).load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
        raise DataError(f"{path} is not a whole file of arrays ({error}); get it again.") from None


def object_array(path: Path) -> np.ndarray:
    """An ``.npy`` file whose items are arrays of their own (N,), read under the same restriction."""
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read_header = {1: np.lib.format.read_array_header_1_0}.get(version[0], np.lib.format.read_array_header_2_0)
            _, _, dtype = read_header(file)
            items = _Arrays(file, encoding="latin1").load() if dtype.hasobject else None
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
        raise DataError(f"{path} is not a whole file of arrays ({error}); get the features again.") from None
    if items is None:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    return np.asarray(items)
