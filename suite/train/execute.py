"""One run from its specification to the rows of the ledger."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from suite.data import load
from suite.data.samples import TaskData
from suite.errors import SuiteError
from suite.method import Method
from suite.registry import method as find_method
from suite.request import Places, data_fingerprint, dataset_label, method_code, run_id
from suite.results.provenance import provenance
from suite.results.schema import Outcome
from suite.spec.base import canonical_json
from suite.spec.run import RunSpec
from suite.tasks import Task, task
from suite.tasks.rows import prediction_columns
from suite.train.loop import Loop, Settings, Trained
from suite.train.reporter import Reporter, Silent
from suite.train.selection import EVALUATED, Point


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
    ``complete`` (False when the reporter stopped the run), ``scores`` by split and the ``prepared`` run.
    """
    machine = machine or Machine()
    row = _row(spec, places, machine, group)
    clock = time.monotonic()
    try:
        with _threads(machine.threads):
            prepared = prepare(spec, places)
            trained = _train(prepared, places, machine, reporter or Silent())
    except Exception as error:
        failed = {**row, "seconds": time.monotonic() - clock}
        return Outcome(run=failed).failed(_told(error))
    return _outcome({**row, "seconds": time.monotonic() - clock}, prepared, trained)


def _train(prepared: Prepared, places: Places, machine: Machine, reporter: Reporter) -> Trained:
    spec = prepared.spec
    path = places.checkpoint(prepared.run) if machine.checkpoints else None
    settings = Settings(spec.seed, spec.epochs, spec.precision, machine.device, path, cache=places.derived)
    return Loop(prepared.method, prepared.data, prepared.task, settings, reporter).train()


def _row(spec: RunSpec, places: Places, machine: Machine, group: str) -> dict[str, Any]:
    """The run's row of the ledger, but for its end."""
    chosen = find_method(spec.method)
    known = provenance()
    hardware = {**json.loads(known["hardware"]), **asdict(machine), "precision": spec.precision}
    return {
        **known,
        "run": run_id(spec, places),
        "method": spec.method,
        "title": chosen.title,
        "task": chosen.task,
        "dataset": dataset_label(spec),
        "protocol": spec.protocol,
        "seed": spec.seed,
        "params": canonical_json(spec.params),
        "epochs": spec.epochs,
        "status": "finished",
        "started": datetime.now(UTC),
        "hardware": canonical_json(hardware),
        "code": method_code(spec),
        "fingerprint": data_fingerprint(spec, places),
        "group": group,
    }


def _outcome(row: dict[str, Any], prepared: Prepared, trained: Trained) -> Outcome:
    """The rows of a training that came to its end (or was stopped); nothing to select is a failure."""
    extra = {"complete": trained.complete, "scores": trained.scores, "prepared": prepared}
    if not trained.points:
        return Outcome(run=row, extra=extra).failed(f"{prepared.method.name} took no evaluation point; give it epochs.")
    metrics = [
        {"split": split, "selection": selection, **asdict(metric)}
        for selection, point in trained.points.items()
        for split in EVALUATED
        for metric in point.metrics[split]
    ]
    curves = [{name: value for name, value in point.items() if name != "phase_index"} for point in trained.curves]
    return Outcome(run=row, metrics=metrics, curves=curves, predictions=_predictions(prepared, trained), extra=extra)


def _predictions(prepared: Prepared, trained: Trained) -> pa.Table:
    """The predictions of every selection, on both evaluated splits, as one table."""
    tables = [
        _table(prepared, point, split, selection) for selection, point in trained.points.items() for split in EVALUATED
    ]
    return pa.concat_tables(tables, promote_options="default")


def _table(prepared: Prepared, point: Point, split: str, selection: str) -> pa.Table:
    columns = prediction_columns(point.predictions[split], prepared.data.split(split))
    named = {name: np.full(len(columns["item"]), value) for name, value in (("split", split), ("selection", selection))}
    return pa.table({**named, **columns})


def _told(error: Exception) -> str:
    """A failure in one sentence: the suite's own as they are, others with their kind."""
    if isinstance(error, SuiteError):
        return str(error)
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return f"out of memory ({error}); lower the batch size or use a machine with more."
    return f"{type(error).__name__}: {error}"


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Run with ``count`` threads (0: as many as torch chose)."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
