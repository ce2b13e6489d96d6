"""mAP at the thresholds that are wanted, without recall and without classes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from suite.evaluate.protocols import TemporalProtocol
from suite.evaluate.segments import Segments
from suite.tasks.base import Wanted
from suite.tasks.localization.evaluator import scored
from suite.tasks.localization.samples import Videos
from suite.tasks.localization.scoring.search import map_per_tiou
from suite.tasks.scoring.decodings import Decodings


def map_only(
    predictions: Sequence[Segments], samples: Videos, protocol: TemporalProtocol, wanted: Wanted
) -> np.ndarray | None:
    """(predictions, wanted) values where nothing but mAP is wanted, None elsewhere."""
    if {name for name, _ in wanted} != {"mAP"}:
        return None
    thresholds = [threshold for _, threshold in wanted]
    tious = [threshold for threshold in thresholds if threshold is not None]
    narrowed = protocol if None in thresholds else protocol.at(*tious)
    found = map_per_tiou(predictions, samples, narrowed) if isinstance(predictions, Decodings) else None
    if found is None:
        results = (scored(one, samples, narrowed) for one in predictions)
        found = [(result.tiou, result.map_per_tiou) for result in results]
    rows = [_wanted(tiou, values, thresholds) for tiou, values in found]
    return np.array(rows, dtype=np.float64).reshape(len(predictions), len(wanted))


def _wanted(tiou: np.ndarray, values: np.ndarray, thresholds: Sequence[float | None]) -> list[float]:
    """The average mAP for None, else mAP at a threshold."""
    at = {round(float(t), 6): float(v) for t, v in zip(tiou, values)}
    return [float(values.mean()) if t is None else at.get(round(t, 6), math.nan) for t in thresholds]
