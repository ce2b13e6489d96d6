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
from suite.spec.resources import Resources
from suite.spec.run import RunSpec
from suite.tasks import Task, task
from suite.tasks.data import TaskData
from suite.telling import Tell, nobody
from suite.train.start import data_of, method_of, training_of
from suite.train.storage.keeping import Keep
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


@dataclass(frozen=True)
class Machine:
    """Where and how a run computes: none of it is part of the run's name.

    ``threads`` CPU threads (0: all cores; results are the same bytes for the same number); ``workers`` is
    recorded in the row, their group is started by the launcher. ``checkpoints=False`` keeps a short run off the disk.
    ``keep`` says whose weights are kept with the run: of the epoch that validation chose, of the last, of all
    selections, or none; ``log`` names the trackers (:mod:`suite.tracking`) that get its curves while it trains.
    ``share`` of the GPU's memory is what the process may use. A batch (of a worker) is computed in ``accumulate``
    pieces.
    """

    device: str = "cpu"
    threads: int = 1
    workers: int = 0
    checkpoints: bool = True
    keep: Keep = "none"
    log: tuple[str, ...] = ()
    share: float = 1.0
    accumulate: int = 1

    @classmethod
    def of(cls, resources: Resources, keep: Keep = "none", log: tuple[str, ...] = ()) -> Machine:
        """The machine of a run that holds ``resources``."""
        device, cores = "cuda" if resources.gpu else "cpu", max(1, int(resources.cpu))
        share = min(1.0, resources.gpu) if resources.gpu else 1.0
        return cls(device, cores, resources.workers, keep=keep, log=log, share=share, accumulate=resources.accumulate)

    def facts(self) -> dict[str, Any]:
        """What the row of a run says of it."""
        return {
            "device": self.device,
            "threads": self.threads,
            "workers": self.workers,
            "checkpoints": self.checkpoints,
            "accumulate": self.accumulate,
        }


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
