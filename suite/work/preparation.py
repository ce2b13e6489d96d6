"""What a run needs before it starts: its data and method, and the machine it may use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from suite.errors import UsageError
from suite.method import Method
from suite.places import Places
from suite.registry import method_for
from suite.runs import require_files, run_id
from suite.spec.run import RunSpec
from suite.tasks import Task, task
from suite.tasks.data import TaskData
from suite.telling import Tell, nobody
from suite.train.start import data_of, method_of, training_of
from suite.train.training import Training


@dataclass(frozen=True)
class Prepared:
    """A run about to start: everything found, loaded and named."""

    run: str
    spec: RunSpec
    method: Method
    data: TaskData[Any]
    task: Task

    def training(self, device: str, cache: Path, checkpoint: Path | None = None, data: Any = None) -> Training:
        """The training of this run on ``device`` (on ``data``, where it is in memory already)."""
        whole = self.data if data is None else data
        return training_of(self.spec, self.method, whole, self.task, device, cache, checkpoint)


def prepare(spec: RunSpec, places: Places, tell: Tell = nobody) -> Prepared:
    """Load what ``spec`` names; raises a :class:`SuiteError` when something is missing or damaged.

    ``tell`` hears how far the data are packed.
    """
    chosen = method_for(spec.method, spec.params)
    require_files(spec, places.root)
    data = data_of(spec, chosen.task, places.root, places.cache, tell)
    return Prepared(run_id(spec, places), spec, method_of(spec, chosen), data, task(chosen.task))


def require_device(device: str) -> None:
    """Raise :class:`UsageError` for a CUDA device that torch does not see."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError("--gpu was asked for, but torch sees no CUDA device; leave --gpu out or check the driver.")


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run with ``count`` threads (0: as many as torch chose)."""
    before = torch.get_num_threads()
    # Restored afterwards: the caller may be a notebook or a worker that goes on with other runs.
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
