"""One run from its specification to the rows of the ledger."""

from __future__ import annotations

import time
import traceback
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

import torch

from suite.data import load
from suite.data.samples import TaskData
from suite.errors import SuiteError
from suite.method import Method, Scores
from suite.registry import method as find_method
from suite.request import Places, data_fingerprint, dataset_label, method_code, request, run_id
from suite.results.provenance import provenance
from suite.results.schema import SCHEMA_VERSION
from suite.spec.base import canonical_json
from suite.spec.run import RunSpec
from suite.tasks import Task, task
from suite.tasks.rows import prediction_rows
from suite.train.loop import Loop, Settings, Trained
from suite.train.reporter import Reporter, Silent
from suite.train.selection import EVALUATED

__all__ = ["Outcome", "Prepared", "execute", "prepare", "request"]

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """The rows of one run: ``run`` for the ledger's table of runs, and those of its other tables.

    ``complete`` is False when a reporter stopped the run early; ``scores`` (not stored) are the last point's, by split.
    """

    run: dict[str, Any]
    metrics: Rows = field(default_factory=list)
    curves: Rows = field(default_factory=list)
    predictions: Rows = field(default_factory=list)
    complete: bool = True
    scores: Mapping[str, Scores] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether the run ended with an error."""
        return bool(self.run["status"] == "failed")


@dataclass(frozen=True)
class Prepared:
    """A run about to start: everything found, loaded and named."""

    run: str
    spec: RunSpec
    method: Method
    data: TaskData[Any]
    task: Task


def prepare(spec: RunSpec, places: Places) -> Prepared:
    """Load what ``spec`` names; raises a :class:`SuiteError` when something is missing or damaged."""
    chosen = find_method(spec.method)
    data: TaskData[Any] = load(
        spec.dataset,
        chosen.task,
        places.root,
        places.cache,
        protocol=spec.protocol,
        dials=spec.dials,
        seed=spec.seed,
    )
    return Prepared(run_id(spec, places), spec, chosen(**spec.params), data, task(chosen.task))


def execute(
    spec: RunSpec,
    places: Places,
    reporter: Reporter | None = None,
    *,
    device: str = "cpu",
    threads: int = 1,
    workers: int = 0,
    group: str = "",
    checkpoint: bool = True,
) -> Outcome:
    """Train and evaluate ``spec``, resuming where a killed process left off; a failure becomes an outcome, not an error.

    ``threads`` CPU threads (0: all; more than one may change the last bits); ``workers`` is told in the row only: the
    caller has started the process group. ``group`` names the sweep or leaderboard that asked.
    """
    started = datetime.now(timezone.utc)
    clock = time.monotonic()
    row = _row(spec, places, started, workers, group, device)
    row["hardware"] = canonical_json({**provenance().hardware, "device": device, "threads": threads, "workers": workers})
    try:
        prepared = prepare(spec, places)
        path = places.checkpoint(prepared.run) if checkpoint else None
        settings = Settings(spec.seed, spec.epochs, spec.precision, device, path, cache=places.derived)
        with _threads(threads):
            trained = _train(prepared, settings, reporter or Silent())
    except (Exception, torch.OutOfMemoryError) as error:
        return Outcome({**row, "status": "failed", "error": _told(error), "seconds": time.monotonic() - clock})
    if trained.complete and path is not None:
        path.unlink(missing_ok=True)
    row = {**row, "seconds": time.monotonic() - clock, "parameters": trained.parameters}
    return _outcome(row, prepared, trained)
