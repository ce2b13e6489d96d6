"""Feature files of one array each, opened without copying and without unpickling."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from suite.errors import DataError


def open_rows(path: Path, owner: str, channels: int | None = None) -> np.ndarray:
    """(L, D) rows of a ``.npy`` file, memory-mapped; ``owner`` (dataset or item) is named when something is wrong.

    Raises :class:`DataError` for a file that is missing, cut short, not an array of numbers in two dimensions, or not
    ``channels`` wide.
    """
    remedy = "get this file again"
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{owner}: {path} is missing; {remedy}.") from None
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise DataError(f"{owner}: {path} is cut short or is no plain array ({error}); {remedy}.") from None
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.dtype.kind not in "fiu":
        found = f"{rows.dtype} {rows.shape}" if isinstance(rows, np.ndarray) else "an archive of arrays"
        raise DataError(f"{owner}: {path} holds {found} instead of rows of numbers; {remedy}.")
    if channels is not None and rows.shape[1] != channels:
        raise DataError(f"{owner}: {path} is {rows.shape[1]} channels wide instead of {channels}; {remedy}.")
    return rows
