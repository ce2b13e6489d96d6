"""One run from its specification to the rows of the ledger."""

from __future__ import annotations

import time

import torch

from suite.errors import SuiteError, pass_on_interruption
from suite.places import Places
from suite.results.schema import Outcome
from suite.spec.run import RunSpec
from suite.train.loop import Loop
from suite.train.stepper import Solo
from suite.train.storage.reporter import Reporter, Silent, Telling
from suite.train.storage.saving import Checkpoints
from suite.work.machine import Machine
from suite.work.memory import Watched, confine, give_back, require_share, reuse_freed
from suite.work.onlookers import Onlookers
from suite.work.preparation import prepare, threads
from suite.work.record import outcome_of, run_row


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
    ``selected`` by validation, the ``prepared`` run, and the weights ``kept``, where the machine keeps any.
    """
    machine, reporter = machine or Machine(), reporter or Silent()
    reuse_freed()
    give_back()
    row = run_row(spec, places, machine, group)
    clock, onlookers, watched = time.monotonic(), None, Watched(machine.device, machine.workers)
    try:
        with threads(machine.threads):
            confine(machine.device, machine.share)
            require_share(spec, machine.device, machine.share, places)
            prepared = prepare(spec, places, Telling(reporter))
            checkpoint = places.checkpoint(prepared.run) if machine.checkpoints else None
            training = prepared.training(machine.device, places.derived, checkpoint)
            onlookers = Onlookers([training], [spec], [row], machine, places)
            complete = _carry_out(Solo(training, machine.accumulate), reporter, onlookers)
    # Whatever a method raises must become a row: one broken run may not end a board of hundreds.
    except Exception as error:
        pass_on_interruption(error)
        if onlookers is not None:
            onlookers.broken("failed")
        failed = {**row, "seconds": time.monotonic() - clock}
        return Outcome(run=failed).failed(_sentence(error))
    ended = {**row, "seconds": time.monotonic() - clock, "memory": watched.gib()}
    outcome = outcome_of(ended, prepared, training, complete)
    return onlookers.ended([outcome])[0]


def _carry_out(stepper: Solo, reporter: Reporter, onlookers: Onlookers) -> bool:
    """Train as :func:`suite.train.loop.train` does, before ``onlookers``; False when the reporter stopped it."""
    training = stepper.training
    checkpoints = Checkpoints(stepper, onlookers.keepers[0])
    complete = Loop(stepper, onlookers.beside(reporter), checkpoints).run()
    if training.error is not None:
        raise training.error
    if complete:
        onlookers.look()  # a method without phases is evaluated once and reports nothing
    return complete


def _sentence(error: Exception) -> str:
    """A failure in one sentence: the suite's own as they are, others with their kind."""
    if isinstance(error, SuiteError):
        return str(error)
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        remedy = "compute a batch in pieces (--accumulate 4), lower its size, or use a machine with more"
        return f"out of memory ({error}); {remedy}."
    return f"{type(error).__name__}: {error}"
