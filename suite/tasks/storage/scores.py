"""All class scores of an item as one row of the ledger."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from suite.errors import DataError
from suite.tasks.data import Samples


def score_lists(scores: np.ndarray) -> pa.ListArray:
    """Scores (N, C) as a column of N lists, in single precision."""
    values = np.ascontiguousarray(scores, dtype=np.float32)
    offsets = np.arange(len(values) + 1, dtype=np.int32) * (values.shape[1] if values.ndim == 2 else 0)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.reshape(-1)))


def scores_of(table: pa.Table, samples: Samples) -> np.ndarray:
    """(N, C) what :func:`score_lists` stored as ``scores``, in the order of the samples.

    Raises :class:`DataError` for a sample without scores.
    """
    rows = {item: place for place, item in enumerate(table["item"].to_pylist())}
    if missing := set(samples.ids.tolist()) - set(rows):
        raise DataError(f"the table lacks {len(missing)} of {len(samples)} items, e.g. {min(missing)}; score them all.")
    order = [rows[item] for item in samples.ids.tolist()]
    return np.asarray(table["scores"].to_pylist(), dtype=np.float32)[order]
