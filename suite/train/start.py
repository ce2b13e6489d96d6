"""From the specification of a run to what computes it: its data, its method and its training.

These lines pass on seed, protocol, parameters and budget. A slip in them would change numbers, so they live among what
names a run.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from suite.data.loading import load
from suite.method import Method
from suite.spec.run import RunSpec
from suite.tasks import Task
from suite.tasks.annotators import refuse_soft
from suite.tasks.data import TaskData
from suite.telling import Tell, nobody
from suite.train.training import Settings, Training


def data_of(spec: RunSpec, task: str, root: Path | None, cache: Path | None, tell: Tell = nobody) -> TaskData[Any]:
    """The data that ``spec`` names, as ``task`` uses them; raises :class:`DataError` for what is missing.

    ``tell`` hears how far they are packed.
    """
    return load(spec.dataset, task, root, cache, protocol=spec.protocol, dials=spec.dials, seed=spec.seed, tell=tell)


def method_of(spec: RunSpec, method: type[Method]) -> Method:
    """``method`` with the parameters of ``spec``."""
    return method(**spec.params)


def with_values(method: Method, values: Mapping[str, Any]) -> Method:
    """A copy of ``method`` with other post-processing: ``values`` by name, checked as they are declared."""
    changed = copy.copy(method)
    for name, value in values.items():
        setattr(changed, name, type(method).hypers[name].check(value, name, method.name))
    return changed


def training_of(
    spec: RunSpec,
    method: Method,
    data: Any,
    task: Task,
    device: str,
    cache: Path,
    checkpoint: Path | None = None,
) -> Training:
    """The training of ``spec`` on ``device``; ``cache`` keeps what is derived from data, ``checkpoint`` resumes it.

    Raises :class:`UsageError` for labels that are shares of annotators, where the method does not learn from such.
    """
    if not method.soft_labels:
        refuse_soft(data, method.name)
    settings = Settings(spec.seed, spec.epochs, spec.precision, device, checkpoint, cache=cache)
    return Training(method, data, task, settings)
