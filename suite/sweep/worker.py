"""Running configurations: every run recorded in the ledger before the coordinator hears of it.

A worker knows nothing of Ray: it is handed a way to talk to the coordinator (an actor's, or the object itself).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from suite.request import Places, run_id
from suite.results.ledger import Ledger
from suite.results.schema import Outcome, to_table
from suite.spec.run import RunSpec
from suite.spec.sweep import SweepSpec
from suite.sweep.coordinator import Ended, Work
from suite.sweep.history import numbers_of
from suite.sweep.inner import Scored, search_post
from suite.sweep.packed import run_packed
from suite.sweep.problem import Problem, problems
from suite.sweep.proposals import Proposal
from suite.train.execute import Machine, execute
from suite.train.launch import launch
from suite.train.reporter import Progress

ASK_EVERY = 1.0  # seconds between questions to the coordinator whether to go on


class Judge(Protocol):
    """What a worker asks while it trains."""

    def judge(self, study: int, number: int, step: int, value: float) -> bool:
        """Whether to give a proposal up."""

    def going(self) -> bool:
        """Whether to go on at all."""


@dataclass
class Watcher:
    """The reporter of one run: asks whether to go on, and for pruned sweeps whether this configuration should.

    ``curve`` is the name of the objective among the progress values; empty: curves are not judged.
    """

    judge: Judge
    study: int
    number: int
    curve: str = ""
    points: int = 0
    said: Literal["", "stopped", "pruned"] = ""
    place: str = ""
    asked: float = field(default_factory=time.monotonic)

    def report(self, progress: Progress) -> bool:
        """Go on, unless the sweep is stopped or the pruner gives this configuration up."""
        if self.curve in progress.values:
            self.points += 1
            if self.judge.judge(self.study, self.number, self.points, progress.values[self.curve]):
                self.said, self.place = "pruned", f"epoch {progress.done} of {progress.total}"
        if not self.said and time.monotonic() - self.asked > ASK_EVERY:
            self.asked = time.monotonic()
            self.said = "" if self.judge.going() else "stopped"
        return not self.said


@dataclass
class Trial:
    """One proposal on its way: the objectives of its runs so far, and what is needed to search its post-processing."""

    proposal: Proposal
    specs: list[RunSpec]
    numbers: dict[int, tuple[float, ...]] = field(default_factory=dict)
    scored: list[Scored] = field(default_factory=list)
    held: list[Outcome] = field(default_factory=list)
    ended: Ended | None = None
    stopped: bool = False

    @property
    def alive(self) -> bool:
        """Whether further runs of it make sense."""
        return self.ended is None and not self.stopped


class Worker:
    """Runs the work of one sweep in one process."""

    def __init__(self, spec: SweepSpec, places: Places, judge: Judge) -> None:
        self.spec, self.places, self.judge = spec, places, judge
        self.problems = problems(spec)
        self.ledger = Ledger(places.ledger)
        cuda = spec.resources.gpu > 0
        threads = max(1, int(spec.resources.cpu))
        self.machine = Machine("cuda" if cuda else "cpu", threads, spec.resources.workers)

    def run(self, work: Work) -> list[Ended]:
        """Run every proposal of ``work``; those that were stopped before their end are not mentioned."""
        problem = self.problems[work.study]
        trials = [Trial(p, problem.runs(self._whole(problem, p)), dict(p.known)) for p in work.proposals]
        if problem.space.post().parameters:
            for trial in trials:
                trial.numbers.clear()  # scores are not kept, so its runs are taken again
        for index in range(len(trials[0].specs)):
            waiting = [trial for trial in trials if trial.alive and index not in trial.numbers]
            self._run_instance(problem, work.study, waiting, index)
        return [ended for trial in trials if (ended := self._conclude(problem, trial)) is not None]

    def _whole(self, problem: Problem, proposal: Proposal) -> Mapping[str, Any]:
        """A proposal with the defaults of the post-processing axes."""
        return {**problem.space.post().existing(problem.space.defaults()), **proposal.values}

    # One run of each trial ----------------------------------------------------------------------------------------

    def _run_instance(self, problem: Problem, study: int, trials: Sequence[Trial], index: int) -> None:
        packs = run_packed(
            [t.specs[index] for t in trials], self.places, self.machine, self.spec.name, self.judge.going
        )
        together: list[tuple[Trial, Outcome]] = []
        for trial, outcome in zip(trials, packs):
            if outcome is not None:
                together.append((trial, outcome))
        self._take_all(problem, together, index)
        for trial, outcome in zip(trials, packs):
            if outcome is None and self.judge.going():
                self._run_alone(problem, study, trial, index)
            trial.stopped = trial.stopped or (trial.alive and index not in trial.numbers)

    def _run_alone(self, problem: Problem, study: int, trial: Trial, index: int) -> None:
        """One run by itself, again after a failure as often as the sweep says."""
        for _ in range(self.spec.retries + 1):
            watcher = Watcher(self.judge, study, trial.proposal.number, self._curve(problem, index))
            outcome = self._execute(trial.specs[index], watcher)
            if watcher.said == "pruned":
                self._prune(trial, outcome, watcher.place)
            if watcher.said and not outcome.extra.get("complete", True):
                trial.stopped = not trial.ended
                return
            self._take_all(problem, [(trial, outcome)], index)
            if index in trial.numbers:
                break
        if self.spec.pruner.name == "wilcoxon" and trial.alive and index in trial.numbers:
            self._judge_instance(study, trial, index)

    def _execute(self, spec: RunSpec, watcher: Watcher) -> Outcome:
        run = launch if self.machine.workers else execute
        outcome = run(spec, self.places, watcher, self.machine, self.spec.name)
        if outcome.extra.get("complete", True):
            self.places.checkpoint(outcome.id).unlink(missing_ok=True)
        return outcome

    def _curve(self, problem: Problem, index: int) -> str:
        """The progress value that the pruner looks at: only in a trial's first run."""
        if self.spec.pruner.name not in ("median", "asha") or index:
            return ""
        from suite.sweep.history import known_objectives

        return f"validation/{known_objectives(problem)[0].metric}"

    def _judge_instance(self, study: int, trial: Trial, index: int) -> None:
        last = index == len(trial.specs) - 1
        value = trial.numbers[index][0]
        if self.judge.judge(study, trial.proposal.number, index, value) and not last:
            self._prune(trial, None, f"run {index + 1} of {len(trial.specs)}", trial.specs[index + 1])

    def _prune(self, trial: Trial, outcome: Outcome | None, place: str, following: RunSpec | None = None) -> None:
        """Record that a configuration was given up, with the curves it has."""
        from suite.sweep.failures import pruned, row_of

        error = f"given up at {place} by the sweep's {self.spec.pruner.name} pruner"
        if outcome is None:
            assert following is not None
            outcome = Outcome(run=row_of(following, self.places, self.spec.name))
        else:
            self.places.checkpoint(outcome.id).unlink(missing_ok=True)
        self.ledger.record(pruned(outcome, error))
        trial.ended = Ended(trial.proposal.number, "pruned", error=error)

    # What runs gave -----------------------------------------------------------------------------------------------

    def _take_all(self, problem: Problem, done: Sequence[tuple[Trial, Outcome]], index: int) -> None:
        """Record finished and failed runs and take their objectives."""
        post = bool(problem.space.post().parameters)
        record_all(self.ledger, [o for _, o in done if not post or o.run["status"] == "failed"])
        for trial, outcome in done:
            if outcome.run["status"] == "failed":
                failures = trial.ended = Ended(trial.proposal.number, "failed", error=str(outcome.run["error"]))
                assert failures
                continue
            trial.ended = None
            trial.numbers[index] = numbers_of(problem, told(outcome), float(outcome.run["seconds"]))
            if post:
                trial.held.append(outcome)
                trial.scored.append(Scored.of(outcome))

    def _conclude(self, problem: Problem, trial: Trial) -> Ended | None:
        """What became of a trial; its post-processing is searched here, over all its runs at once."""
        number = trial.proposal.number
        if trial.ended is not None or trial.stopped:
            return trial.ended
        if problem.space.post().parameters:
            found = search_post(problem, trial.scored, trial.held, self.spec.inner)
            record_all(self.ledger, found.outcomes)
            return Ended(number, "complete", found.objectives, found.values)
        columns = zip(*(trial.numbers[i] for i in range(len(trial.specs))))
        means = tuple(math.fsum(column) / len(column) for column in columns)
        if not all(map(math.isfinite, means)):
            return Ended(number, "failed", error="the objective is not a finite number")
        return Ended(number, "complete", means)


def told(outcome: Outcome) -> dict[tuple[str, float | None], float]:
    """The validation metrics of an outcome at the point that validation chose, without those of single classes."""
    rows: Iterable[Mapping[str, Any]] = to_table("metrics", outcome.metrics, outcome.id, "").to_pylist()
    return {
        (row["metric"], None if row["threshold"] is None else round(row["threshold"], 6)): row["value"]
        for row in rows
        if row["split"] == "validation" and row["selection"] == "validation" and not row["label"]
    }


def record_all(ledger: Ledger, outcomes: Sequence[Outcome]) -> None:
    """Record several runs, together where the ledger can."""
    together: Callable[[Sequence[Outcome]], Any] | None = getattr(ledger, "record_all", None)
    if together is not None and outcomes:
        together(outcomes)
        return
    for outcome in outcomes:
        ledger.record(outcome)


def run_ids(specs: Sequence[RunSpec], places: Places) -> list[str]:
    """The names of runs."""
    return [run_id(spec, places) for spec in specs]
