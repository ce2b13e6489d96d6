"""Scoring predictions in the ledger's own form, for any task: the columns that it makes of its predictions."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from suite.tasks.base import Task
from suite.tasks.data import TaskData
from suite.tasks.scoring.report import Oddity, Report, metric_row


def score_table(table: pa.Table, data: TaskData[Any], task: Task, resamples: int) -> Report:
    """What the task reports for ``table`` on the test split, with intervals where the task knows them."""
    known, given = set(data.test.ids.tolist()), table["item"].to_pylist()
    predictions = task.from_rows(table, data.test)
    found = task.evaluate(predictions, data.test, data)
    metrics = [metric_row(row.metric, row.threshold, row.value) for row in found if not row.label]
    classes = [{"class": row.label, "AP": row.value} for row in found if row.label]
    unknown = sorted(set(given) - known)
    odd = [Oddity("unknown item", len(unknown), "ignored", unknown[0])] if unknown else []
    counts = {"predictions": len(given), "counted": len(known)}
    return Report(data.protocol, task.intervals(metrics, predictions, data, resamples), classes, odd, counts)
