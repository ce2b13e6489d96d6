"""One run, wherever it is asked for: answered from the ledger, or trained, recorded, and its weights kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from suite.errors import TrainingError
from suite.places import Places
from suite.results.ledger import Ledger
from suite.results.schema import Outcome
from suite.runs import run_id
from suite.spec.run import RunSpec
from suite.train.storage.reporter import Reporter, Silent
from suite.work.kept import ready
from suite.work.launch import launch
from suite.work.leases import forget, leased
from suite.work.machine import Machine
from suite.work.notes import Noting, noting
from suite.work.record import settle

Reporting = Callable[[], AbstractContextManager[Reporter]]


@dataclass(frozen=True)
class Once:
    """A run that is in the ledger; ``outcome`` is what this call trained, None where the ledger answered.

    One that its reporter stopped is not complete, and not in the ledger: the same call goes on with it.
    """

    run: str
    ledger: Ledger
    outcome: Outcome | None


def run_once(
    spec: RunSpec,
    places: Places,
    machine: Machine | None = None,
    reporting: Reporting | None = None,
    *,
    again: bool = False,
    address: str | None = None,
    waiting: Callable[[str], None] | None = None,
) -> Once:
    """The run of ``spec``: trained where the ledger does not hold it, or ``again``.

    ``reporting`` opens what shows progress, when there is any; ``waiting`` is told the run while another process
    carries it out. Raises :class:`TrainingError` for a run that fails, whose row is in the ledger then.
    """
    ledger, run = ready(places), run_id(spec, places)
    outcome = None
    with leased(places, [run], waiting=None if waiting is None else lambda: waiting(run)):
        if again or run not in ledger.finished():
            title = f"{spec.method} on {spec.dataset}"
            with reporting() if reporting else nullcontext(Silent()) as reporter, noting(places) as notes:
                outcome = launch(spec, places, Noting(notes, title, reporter), machine, address=address)
            if not outcome.extra.get("complete", True):
                return Once(run, ledger, outcome)
            settle(outcome, ledger, places)
            if outcome.run["status"] == "failed":
                raise TrainingError(f"run {run} failed: {outcome.run['error']}")
        forget(places, run)
    return Once(run, ledger, outcome)
