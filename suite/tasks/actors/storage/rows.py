"""Scores of people as rows of the ledger: one per person."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from suite.tasks.actors.samples import Actors, ActorScores
from suite.tasks.storage.scores import score_lists, scores_of


def to_rows(predictions: ActorScores, samples: Actors) -> dict[str, Any]:
    """The columns ``item`` and ``scores``."""
    return {"item": samples.ids, "scores": score_lists(predictions.scores)}


def from_rows(table: pa.Table, samples: Actors) -> ActorScores:
    """What :func:`to_rows` stored, for the same split."""
    return ActorScores(scores_of(table, samples))
