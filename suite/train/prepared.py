"""A run about to start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from suite.data.samples import TaskData
from suite.method import Method
from suite.spec.run import RunSpec
from suite.tasks import Task


@dataclass(frozen=True)
class Prepared:
    """A run about to start: everything found, loaded and named."""

    run: str
    spec: RunSpec
    method: Method
    data: TaskData[Any]
    task: Task
