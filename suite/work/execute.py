"""One run from its specification to the rows of the ledger."""

from __future__ import annotations

import time

from suite.places import Places
from suite.results.schema import Outcome
from suite.spec.run import RunSpec
from suite.train.loop import Loop, Settings, Trained
from suite.train.prepared import Prepared
from suite.train.storage.reporter import Reporter, Silent
from suite.work.preparation import Machine, prepare, threads
from suite.work.record import outcome_of, run_row, told


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
