"""Scored segments as rows of the ledger: one per segment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from suite.evaluate.segments import Segments
from suite.tasks.localization.samples import Videos


def to_rows(predictions: Segments, samples: Videos) -> dict[str, Any]:
    """The columns ``item``, ``label``, ``score``, ``start`` and ``end``."""
    return {
        "item": np.asarray(samples.ids)[predictions.video],
        "label": predictions.label.astype(np.int32),
        "score": predictions.score,
        "start": predictions.start,
        "end": predictions.end,
    }


def from_rows(table: pa.Table, samples: Videos) -> Segments:
    """What :func:`to_rows` stored, for the same split."""
    index = {item: i for i, item in enumerate(samples.ids.tolist())}
    video = [index[item] for item in table["item"].to_pylist()]
    columns = (table[name].to_numpy() for name in ("label", "start", "end", "score"))
    return Segments(np.asarray(video, dtype=np.int64), *columns)
