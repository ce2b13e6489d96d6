"""Predictions as ledger rows, and back: one wide form for clips, segments and boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from suite.data.samples import Actors, ActorScores, Clips, ClipScores, Predictions, Videos
from suite.evaluate.segments import Segments


def prediction_columns(predictions: Predictions, samples: Clips | Videos | Actors) -> dict[str, Any]:
    """The columns ``item``, ``label``, ``score``, ``start``, ``end``, ``scores`` of a split's predictions.

    Clips and boxes: one row each with all class scores (a clip's ``score`` is the calibrated threshold). Segments: one
    row each.
    """
    if isinstance(predictions, Segments):
        return {
            "item": np.asarray(samples.ids)[predictions.video],
            "label": predictions.label.astype(np.int32),
            "score": predictions.score,
            "start": predictions.start,
            "end": predictions.end,
        }
    if isinstance(predictions, ClipScores):
        threshold = np.full(len(predictions.logits), predictions.threshold)
        return {"item": samples.ids, "score": threshold, "scores": _lists(predictions.logits)}
    return {"item": samples.ids, "scores": _lists(predictions.scores)}


def predictions_from(table: pa.Table, samples: Clips | Videos | Actors) -> Predictions:
    """What :func:`prediction_columns` stored, for the same split."""
    if isinstance(samples, Videos):
        index = {item: i for i, item in enumerate(samples.ids.tolist())}
        video = [index[item] for item in table["item"].to_pylist()]
        columns = (table[name].to_numpy() for name in ("label", "start", "end", "score"))
        return Segments(np.asarray(video, dtype=np.int64), *columns)
    rows = {item: i for i, item in enumerate(table["item"].to_pylist())}
    scores = np.asarray(table["scores"].to_pylist(), dtype=np.float32)[[rows[item] for item in samples.ids.tolist()]]
    if isinstance(samples, Clips):
        return ClipScores(scores, float(table["score"][0].as_py()))
    return ActorScores(scores)


def _lists(matrix: np.ndarray) -> pa.ListArray:
    values = np.ascontiguousarray(matrix, dtype=np.float32)
    offsets = np.arange(len(values) + 1, dtype=np.int32) * (values.shape[1] if values.ndim == 2 else 0)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.reshape(-1)))
