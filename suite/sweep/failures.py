"""Rows of the ledger for configurations that did not come to their end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from suite.places import Places
from suite.results.ledger import Ledger
from suite.results.schema import Outcome
from suite.runs import run_id
from suite.spec.run import RunSpec, Value
from suite.sweep.problem import Problem
from suite.work.preparation import Machine
from suite.work.record import run_row


def row_of(spec: RunSpec, places: Places, group: str) -> dict[str, Any]:
    """The row of a run that took no time."""
    return {**run_row(spec, places, Machine(), group), "seconds": 0.0}


def pruned(outcome: Outcome, error: str) -> Outcome:
    """The outcome of a run that a pruner gave up: its curves stay, numbers that could be believed do not."""
    row = {**outcome.run, "status": "pruned", "error": error}
    return replace(outcome, run=row, metrics=(), predictions=())


def record_failure(problem: Problem, values: Mapping[str, Value], places: Places, error: str) -> None:
    """Record the first unfinished run of a configuration as failed, as often as makes that final."""
    ledger = Ledger(places.ledger)
    finished = ledger.finished()
    waiting = [spec for spec in problem.runs(values) if run_id(spec, places) not in finished]
    for spec in waiting[:1]:
        for _ in range(problem.sweep.retries + 1):
            ledger.record(Outcome(run=row_of(spec, places, problem.sweep.name)).failed(error))
