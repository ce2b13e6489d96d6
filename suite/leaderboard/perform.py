"""Carrying out the runs of a leaderboard, in whatever process, and what is known of each afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from suite.results.schema import Outcome, to_table
from suite.spec.board import BoardRun
from suite.tasks import task
from suite.work.leases import forget, leased
from suite.work.source import Supply
from suite.work.worker import GoOn, Runner

Status = Literal["finished", "failed", "stopped", "held"]


@dataclass(frozen=True)
class Done:
    """How a run ended. ``held``: another driver finished it meanwhile; ``stopped``: it goes on next time."""

    asked: BoardRun
    status: Status
    seconds: float = 0.0
    error: str = ""
    headline: float | None = None


def in_words(asked: BoardRun) -> str:
    """A run as lines name it: its row, dataset, trial and seed."""
    trial = f", trial {asked.trial + 1}" if asked.trial else ""
    return f"{asked.row} on {asked.dataset}{trial}, seed {asked.spec.seed}"


class BoardPerformer:
    """Carries out runs in its process, each recorded before it is reported."""

    def __init__(self, runner: Runner, source: Supply) -> None:
        self.runner, self.source = runner, source

    def perform(self, units: Sequence[BoardRun]) -> list[Done]:
        """Carry out the runs that the ledger does not hold by now, together where they make a stack."""
        with leased(self.runner.places, [unit.run for unit in units], self.source.going) as got:
            if got == "stopped":
                return [Done(unit, "stopped") for unit in units]
            ends = self._perform(units)
            for end in ends:
                if end.status in ("finished", "held"):
                    forget(self.runner.places, end.asked.run)
        return ends

    def _perform(self, units: Sequence[BoardRun]) -> list[Done]:
        held = self.runner.ledger.finished()
        waiting = [unit for unit in units if unit.run not in held]
        outcomes = self.runner.together([unit.spec for unit in waiting], self.source)
        self.runner.record([outcome for outcome in outcomes if outcome is not None])
        ends = [_end(unit, outcome) if outcome else self._alone(unit) for unit, outcome in zip(waiting, outcomes)]
        return [*(Done(unit, "held") for unit in units if unit.run in held), *ends]

    def _alone(self, unit: BoardRun) -> Done:
        if not self.source.going():
            return Done(unit, "stopped")
        outcome = self.runner.alone(unit.spec, GoOn(self.source))
        if outcome.extra.get("complete", True):
            self.runner.record([outcome])
        return _end(unit, outcome)


def _end(unit: BoardRun, outcome: Outcome) -> Done:
    seconds = float(outcome.run["seconds"])
    if not outcome.extra.get("complete", True):
        return Done(unit, "stopped", seconds)
    if outcome.run["status"] == "failed":
        return Done(unit, "failed", seconds, str(outcome.run["error"]))
    return Done(unit, "finished", seconds, headline=_headline(outcome))


def _headline(outcome: Outcome) -> float | None:
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
