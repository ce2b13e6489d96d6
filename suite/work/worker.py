"""One worker: takes items from a source, carries them out, reports their results."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from suite.errors import SuiteError, TrainingError
from suite.places import Places
from suite.results.ledger import Ledger
from suite.results.schema import Outcome
from suite.spec.run import RunSpec
from suite.train.storage.reporter import Doing, Progress, Reporter
from suite.work.kept import record_or_keep
from suite.work.machine import Machine
from suite.work.source import HERE, Item, Source, Supply, Watch

LOOK_EVERY = 0.5  # seconds between snapshots while a run is under way in this process
PAUSE = 0.2  # seconds between questions while other workers may still lose their items

Execute = Callable[..., Outcome]


class Performer(Protocol):
    """Carries out the units of an item: boards know how to do runs, sweeps how to do proposals."""

    def perform(self, units: Sequence[Any]) -> Sequence[Any]:
        """Results for the source; everything that they name is in the ledger by then."""


class Worker:
    """Does the work of ``source`` in this process, item by item."""

    def __init__(self, name: str, source: Supply, performer: Performer) -> None:
        self.name, self.source, self.performer = name, source, performer

    def step(self) -> bool:
        """Carry out one item, or wait a little for one; False when nothing is left."""
        answer = self.source.next(self.name)
        if answer == "over":
            return False
        if answer == "wait":
            time.sleep(PAUSE)
        else:
            return self._carry_out(answer)
        return True

    def _carry_out(self, item: Item) -> bool:
        try:
            results = self.performer.perform(item.units)
        except SuiteError as error:  # a run that fails is a result; this is the ledger or the disk, for all runs
            self.source.break_off(self.name, str(error))
            return False
        self.source.done(self.name, item.number, results)
        return True


def work_here(source: Source, performer: Performer, watch: Watch) -> bool:
    """Carry out all of ``source`` in this process; False when Ctrl-C ended it. ``watch`` sees a snapshot per item,
    and in between.

    Raises :class:`SuiteError` where nothing can be recorded.
    """
    worker, looked = Worker(HERE, source, performer), -math.inf

    def look() -> None:
        nonlocal looked
        if time.monotonic() - looked > LOOK_EVERY:
            looked = time.monotonic()
            watch(source.snapshot())

    source.on_change = look
    try:
        while worker.step():
            watch(source.snapshot())
    except KeyboardInterrupt:
        return False
    if source.broken:
        raise SuiteError(source.broken)
    source.close()
    return True


def _execute(machine: Machine) -> Execute:
    """What carries out a run on ``machine``."""
    if machine.workers:
        from suite.work.launch import launch

        return launch
    from suite.work.execute import execute

    return execute


@dataclass
class Runner:
    """Carries out runs in this process and records them; ``group`` names the board or sweep that asked.

    What trains is loaded with the first run: the process that hands out work has a runner, too, and no torch.
    """

    places: Places
    machine: Machine
    group: str
    execute: Execute | None = None

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.places.ledger)

    def alone(self, spec: RunSpec, reporter: Reporter) -> Outcome:
        """One run by itself, on Ray Train's workers where the machine has any."""
        try:
            return (self.execute or _execute(self.machine))(spec, self.places, reporter, self.machine, self.group)
        except TrainingError as error:  # of the workers, which cannot return an outcome any more
            return self.unfinished(spec).failed(str(error))

    def together(self, specs: Sequence[RunSpec], source: Supply) -> list[Outcome | None]:
        """The runs that can be trained as one stack; None for the others."""
        if len(specs) < 2:
            return [None for _ in specs]
        from suite.work.packing import run_packed

        return run_packed(specs, self.places, self.machine, self.group, GoOn(source))

    def unfinished(self, spec: RunSpec) -> Outcome:
        """The outcome of a run that never came to train: its row, without numbers."""
        from suite.work.record import run_row

        return Outcome(run={**run_row(spec, self.places, self.machine, self.group), "seconds": 0.0})

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Record runs in one commit; only then may their checkpoints go (a failed run may go on from its own)."""
        from suite.work.kept_models import keep_models_or_later

        keep_models_or_later(outcomes, self.places)
        record_or_keep(self.ledger, outcomes, self.places)
        for outcome in outcomes:
            if outcome.run["status"] != "failed":
                self.places.checkpoint(outcome.id).unlink(missing_ok=True)


@dataclass
class GoOn:
    """A reporter that tells ``source`` where a run is, and stops it when that says so; a report may cost a call.

    ``unsaid`` is an epoch that ended too soon after the last call: it goes before what is being done since.
    """

    source: Supply
    stopped: bool = False
    asked: float = field(default_factory=time.monotonic)
    unsaid: Progress | None = None

    def report(self, progress: Progress) -> bool:
        """Whether to go on."""
        self.unsaid = progress
        self._say()
        return not self.stopped

    def tell(self, doing: Doing) -> None:
        """Tell the source; where that says to stop, the next report does."""
        self._say(doing)

    def _say(self, doing: Doing | None = None) -> None:
        if self.stopped or time.monotonic() - self.asked <= self.source.every:
            return
        self.asked = time.monotonic()
        if self.unsaid is not None:
            self.stopped, self.unsaid = not self.source.report(self.unsaid), None
        elif doing is not None:
            self.stopped = not self.source.tell(doing)
