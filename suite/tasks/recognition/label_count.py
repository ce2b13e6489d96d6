"""How many labels a clip has on average: what a single annotated label cannot say, so that a dataset must state it.

A reader states it as ``facts["cardinality"]``, a statistic of complete label sets (so CVPR 2021 hands it to EPR and
ROLE). It decides two things here, both on validation data: how many of a clip's best classes count when an
epoch is chosen, and the threshold of the metrics called ``calibrated``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from suite.tasks.data import TaskData

SLACK = 1e-6  # a mean computed as 2.0000000000000004 is 2


def mean_label_count(data: TaskData[Any]) -> float:
    """Labels per clip as the dataset states it, else as complete validation labels show it; NaN where neither is known.

    The validation split is complete where the dataset lists it in ``facts["complete"]``.
    """
    stated = float(data.facts.get("cardinality", 0.0))
    if stated > 0:
        return stated
    if "validation" in data.facts.get("complete", ()) and data.validation.known is None and len(data.validation):
        return float(np.asarray(data.validation.truth).sum(axis=1).mean())
    return math.nan


def label_ranks(data: TaskData[Any]) -> int:
    """:func:`mean_label_count` rounded up, at most all classes; 1 where it is not known."""
    count = mean_label_count(data)
    return min(max(1, math.ceil(count - SLACK)), len(data.classes)) if math.isfinite(count) else 1
