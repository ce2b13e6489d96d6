"""Objectives of many predictions for the same samples, computing no metric that was not asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from suite.spec.sweep import Objective
from suite.tasks import Task
from suite.tasks.base import Wanted
from suite.tasks.data import TaskData


def metric_values(
    predictions: Iterable[Any], samples: Any, data: TaskData[Any], task: Task, objectives: Sequence[Objective]
) -> np.ndarray:
    """(predictions, objectives): what the task's evaluator says, by a shorter way where the task has one.

    ``predictions`` are for ``samples``, the validation split of ``data``.
    """
    several = predictions if isinstance(predictions, Sequence) else list(predictions)
    wanted = [(objective.metric, objective.threshold) for objective in objectives]
    short = task.quick(several, samples, data, wanted) if several else None
    if short is not None:
        return short
    rows = [_evaluated(one, samples, data, task, wanted) for one in several]
    return np.array(rows, dtype=np.float64).reshape(len(several), len(wanted))


def _evaluated(prediction: Any, samples: Any, data: TaskData[Any], task: Task, wanted: Wanted) -> list[float]:
    own = task.calibrated({"validation": prediction}, data)["validation"]
    found = {(m.metric, m.threshold): m.value for m in task.evaluate(own, samples, data) if not m.label}
    return [found.get(one, math.nan) for one in wanted]
