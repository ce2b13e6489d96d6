"""Who looks at trainings after each of their epochs: what keeps weights, and what logs curves elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from suite.models.kept import NAME, Kept
from suite.places import Places
from suite.results.schema import Outcome
from suite.spec.run import RunSpec
from suite.tracking.base import Tracked
from suite.tracking.watching import Following, tracking_folder
from suite.train.distributed import Workers
from suite.train.storage.keeping import Keeper
from suite.train.storage.reporter import Doing, Progress, Reporter
from suite.train.training import Training
from suite.work.machine import Machine
from suite.work.record import coverage


class Onlookers:
    """Looks at ``trainings`` (runs of ``specs``, with the ledger's ``rows`` as they begin) for the ``machine``."""

    def __init__(
        self,
        trainings: Sequence[Training],
        specs: Sequence[RunSpec],
        rows: Sequence[Mapping[str, Any]],
        machine: Machine,
        places: Places,
    ) -> None:
        self.trainings, self.specs = trainings, specs
        self.keepers = [Keeper(training, machine.keep) for training in trainings]
        # Of several workers the leading one alone evaluates: the others would open trackers and log nothing.
        log = machine.log if Workers.current().leads else ()
        self.followings = [Following(log, _tracked(row, places)) for row in rows] if log else []

    def look(self) -> None:
        """Take note of where the trainings are, after an epoch's evaluation and before the next step."""
        for keeper in self.keepers:
            keeper.look()
        for following, training in zip(self.followings, self.trainings, strict=False):
            following.look([*coverage(training.data, training.curves.points), *training.curves.points])

    def beside(self, reporter: Reporter) -> Reporter:
        """A reporter that also looks."""
        return _Looking(self, reporter)

    def ended(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes of the trainings in order, with the weights that were kept; trackers are told the end."""
        self.look()
        for following, outcome in zip(self.followings, outcomes, strict=False):
            following.close(str(outcome.run["status"]) if outcome.extra.get("complete", True) else "stopped")
        found = []
        for outcome, spec, training, keeper in zip(outcomes, self.specs, self.trainings, self.keepers, strict=True):
            kept = Kept.of(spec, training, keeper) if keeper.wanted and outcome.run["status"] == "finished" else None
            found.append(replace(outcome, extra={**outcome.extra, NAME: kept}) if kept else outcome)
        return found

    def broken(self, status: str) -> None:
        """The trainings ended without outcomes."""
        for following in self.followings:
            following.close(status)


def _tracked(row: Mapping[str, Any], places: Places) -> Tracked:
    page = places.local / "reports" / "runs" / f"{row['run']}.html"
    return Tracked.of(row, tracking_folder(places.local), places.ledger, page)


class _Looking:
    def __init__(self, onlookers: Onlookers, reporter: Reporter) -> None:
        self.onlookers, self.reporter = onlookers, reporter

    def report(self, progress: Progress) -> bool:
        """Look, then pass on."""
        self.onlookers.look()
        return self.reporter.report(replace(progress, share=share_done(self.onlookers.trainings[0])))

    def tell(self, doing: Doing) -> None:
        """Pass it on."""
        self.reporter.tell(doing)


def share_done(training: Training) -> float:
    """The share of a training's phases, as they are declared, that is behind it after the current epoch."""
    phases, run = training.phases, training.run
    if all(phase.steps for phase in phases):
        weights = [float(phase.steps) for phase in phases]
    else:
        weights = [float(phase.epochs) if all(one.epochs for one in phases) else 1.0 for phase in phases]
    now = run.phase
    inside = run.step / now.steps if now.steps else (run.epoch + 1) / max(1, now.epochs)
    done = sum(weights[: run.phase_index]) + weights[run.phase_index] * min(1.0, inside)
    return done / sum(weights)
