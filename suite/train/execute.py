"""One run from its specification to the rows of the ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from suite.data import load
from suite.data.samples import TaskData
from suite.method import Method
from suite.registry import method as find_method
from suite.request import Places, run_id
from suite.results.schema import Outcome
from suite.spec.run import RunSpec
from suite.tasks import Task, task
from suite.train.loop import Loop, Settings, Trained
from suite.train.outcomes import outcome_of, run_row, told
from suite.train.reporter import Reporter, Silent


@dataclass(frozen=True)
class Prepared:
    """A run about to start: everything found, loaded and named."""

    run: str
    spec: RunSpec
    method: Method
    data: TaskData[Any]
    task: Task


@dataclass(frozen=True)
class Machine:
    """Where and how a run computes: none of it is part of the run's name.

    ``threads`` CPU threads (0: all cores; results are the same bytes for the same number); ``workers`` is told in the
    row only, their group is started by the launcher. ``checkpoints=False`` keeps a short run off the disk.
    """

    device: str = "cpu"
    threads: int = 1
    workers: int = 0
    checkpoints: bool = True


def prepare(spec: RunSpec, places: Places) -> Prepared:
    """Load what ``spec`` names; raises a :class:`SuiteError` when something is missing or damaged."""
    chosen = find_method(spec.method)
    where = (places.root, places.cache)
    data: TaskData[Any] = load(
        spec.dataset, chosen.task, *where, protocol=spec.protocol, dials=spec.dials, seed=spec.seed
    )
    return Prepared(run_id(spec, places), spec, chosen(**spec.params), data, task(chosen.task))


def execute(
    spec: RunSpec,
    places: Places,
    reporter: Reporter | None = None,
    machine: Machine | None = None,
    group: str = "",
) -> Outcome:
    """Train and evaluate ``spec``, resuming where a killed process left off; a failure is an outcome, not an error.

    ``group`` names the sweep or leaderboard that asked. The outcome's ``extra`` holds what the ledger does not store:
    ``complete`` (False when the reporter stopped the run), the raw ``scores`` by split of the last point, those
    ``selected`` by validation, and the ``prepared`` run.
    """
    machine = machine or Machine()
    row = run_row(spec, places, machine, group)
    clock = time.monotonic()
    try:
        with threads(machine.threads):
            prepared = prepare(spec, places)
            trained = _train(prepared, places, machine, reporter or Silent())
    except Exception as error:
        failed = {**row, "seconds": time.monotonic() - clock}
        return Outcome(run=failed).failed(told(error))
    return outcome_of({**row, "seconds": time.monotonic() - clock}, prepared, trained)


def _train(prepared: Prepared, places: Places, machine: Machine, reporter: Reporter) -> Trained:
    spec = prepared.spec
    path = places.checkpoint(prepared.run) if machine.checkpoints else None
    settings = Settings(spec.seed, spec.epochs, spec.precision, machine.device, path, cache=places.derived)
    return Loop(prepared.method, prepared.data, prepared.task, settings, reporter).train()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run with ``count`` threads (0: as many as torch chose)."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
