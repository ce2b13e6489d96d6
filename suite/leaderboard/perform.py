"""One asked run from start to its row in the ledger, and what to tell of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from suite.places import Places
from suite.results.ledger import Ledger
from suite.results.schema import Outcome, to_table
from suite.spec.board import BoardRun
from suite.tasks import task
from suite.train.storage.reporter import Calling, Progress
from suite.work.execute import execute
from suite.work.preparation import Machine
from suite.work.record import run_row, settle

Status = Literal["finished", "failed", "stopped", "held"]
Execute = Callable[..., Outcome]


@dataclass(frozen=True)
class Done:
    """How an asked run ended. ``held``: another driver finished it meanwhile; ``stopped``: it goes on next time."""

    asked: BoardRun
    status: Status
    seconds: float = 0.0
    error: str = ""
    headline: float | None = None


@dataclass
class Performer:
    """Carries out runs one after the other in its process, each recorded before it is told of.

    ``stop`` asks the run under way to end at its next epoch; its checkpoint stays.
    """

    places: Places
    machine: Machine
    group: str
    execute: Execute = execute

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.places.ledger)
        self.stop = threading.Event()
        self.progress = (0, 0)

    def perform(self, asked: BoardRun) -> Done:
        """Run ``asked`` unless the ledger holds it by now; record it, finished or failed."""
        if asked.run in self.ledger.finished():
            return Done(asked, "held")
        self.progress = (0, 0)
        outcome = self.execute(asked.spec, self.places, Calling(self._note), self.machine, self.group)
        seconds = float(outcome.run["seconds"])
        if not outcome.extra.get("complete", True):
            return Done(asked, "stopped", seconds)
        settle(outcome, self.ledger, self.places)
        if outcome.run["status"] == "failed":
            return Done(asked, "failed", seconds, str(outcome.run["error"]))
        return Done(asked, "finished", seconds, headline=headline(outcome))

    def _note(self, progress: Progress) -> bool:
        self.progress = (progress.done, progress.total)
        return not self.stop.is_set()


def headline(outcome: Outcome) -> float | None:
    """The task's headline metric on test data, at the epoch that validation data chose."""
    wanted = {
        "split": "test",
        "selection": "validation",
        "metric": task(outcome.run["task"]).headline,
        "label": "",
        "threshold": None,
    }
    rows = to_table("metrics", outcome.metrics, outcome.id, "").to_pylist()
    return next((row["value"] for row in rows if all(row[k] == v for k, v in wanted.items())), None)


def lost(asked: BoardRun, performer: Performer, error: str) -> Outcome:
    """The failed outcome of a run whose worker died under it."""
    row = run_row(asked.spec, performer.places, performer.machine, performer.group)
    return Outcome(run={**row, "seconds": 0.0}).failed(error)
