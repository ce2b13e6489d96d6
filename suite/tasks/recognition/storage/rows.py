"""Scores of clips as rows of the ledger: one per clip, whose ``score`` is the method's own threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from suite.tasks.recognition.samples import Clips, ClipScores
from suite.tasks.storage.scores import score_lists, scores_of


def to_rows(predictions: ClipScores, samples: Clips) -> dict[str, Any]:
    """The columns ``item``, ``score`` and ``scores``."""
    threshold = np.full(len(predictions.logits), predictions.threshold)
    return {"item": samples.ids, "score": threshold, "scores": score_lists(predictions.logits)}


def from_rows(table: pa.Table, samples: Clips) -> ClipScores:
    """What :func:`to_rows` stored, for the same split."""
    return ClipScores(scores_of(table, samples), float(table["score"][0].as_py()))
