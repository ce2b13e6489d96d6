"""Trials: the runs of a configuration, its objectives, and the search of its post-processing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from suite.places import Places
from suite.results.schema import Outcome, to_table
from suite.runs import run_id
from suite.spec.run import RunSpec
from suite.spec.sweep import SweepSpec
from suite.sweep.history import NOT_FINITE, known_objectives, numbers_of
from suite.sweep.inner import Scored, search_post
from suite.sweep.problem import Problem, problems
from suite.sweep.proposals import Proposal
from suite.sweep.pruners import pruner_kind
from suite.sweep.source import Candidate, Ended
from suite.sweep.space import Values
from suite.sweep.watcher import Judge, Watcher
from suite.train.storage.keeping import Keep
from suite.work.leases import leased, taken
from suite.work.machine import Machine
from suite.work.worker import Runner


@dataclass
class Trial:
    """One proposal on its way: the objectives of its runs so far, and what the search of its post-processing needs."""

    proposal: Proposal
    specs: list[RunSpec]
    numbers: dict[int, tuple[float, ...]] = field(default_factory=dict)
    held: list[Outcome] = field(default_factory=list)
    error: str = ""
    ended: Ended | None = None

    def lacks(self, index: int) -> bool:
        """Whether the run ``index`` is still to be done."""
        return self.ended is None and index not in self.numbers

    def end(self, state: Any, objectives: tuple[float, ...] = (), **more: Any) -> None:
        """Say what became of the proposal."""
        self.ended = Ended(self.proposal.number, state, objectives, **more)


class TrialPerformer:
    """Carries out the candidates of a sweep in its process; every run is in the ledger before it is reported."""

    def __init__(
        self, spec: SweepSpec, places: Places, judge: Judge, *, keep: Keep = "none", log: tuple[str, ...] = ()
    ) -> None:
        self.spec, self.places, self.judge = spec, places, judge
        self.problems = problems(spec)
        self.runner = Runner(places, Machine.of(spec.resources, keep, log), spec.name)

    def perform(self, units: Sequence[Candidate]) -> list[Ended]:
        """Run candidates of one study; those that were stopped before their end are not mentioned."""
        study = units[0].study
        problem = self.problems[study]
        trials = [self._trial(problem, unit.proposal) for unit in units]
        # Run by run over all trials, since the same run of several configurations is what trains as one stack.
        for index in range(len(trials[0].specs)):
            waiting = [trial for trial in trials if trial.lacks(index)]
            self._run_together(problem, waiting, index)
            for trial in waiting:
                self._run_alone(problem, study, trial, index)
            if any(trial.lacks(index) for trial in trials):
                break  # the sweep was stopped
        for trial in trials:
            if all(index in trial.numbers for index in range(len(trial.specs))):
                self._conclude(problem, trial)
        return [trial.ended for trial in trials if trial.ended is not None]

    def _trial(self, problem: Problem, proposal: Proposal) -> Trial:
        """A proposal with what is known of it; scores are not kept, so a search of post-processing trains again."""
        post = problem.space.post()
        defaults = problem.space.existing({**problem.space.defaults(), **proposal.values})
        whole = {**{name: defaults[name] for name in post.names if name in defaults}, **proposal.values}
        return Trial(proposal, problem.runs(whole), {} if post.parameters else dict(proposal.known))

    # Runs ---------------------------------------------------------------------------------------------------------

    def _run_together(self, problem: Problem, trials: Sequence[Trial], index: int) -> None:
        """One run of each trial as a packed network, for those that can be."""
        # A stack waits for no other process: what another one is carrying out is left to the run by itself.
        free = [t for t in trials if not taken(self.places, run_id(t.specs[index], self.places))]
        specs = [trial.specs[index] for trial in free]
        with leased(self.places, [run_id(spec, self.places) for spec in specs], self.judge.going) as got:
            if got != "at once":  # another process was faster after all: what it finished is in the ledger
                return
            outcomes = self.runner.together(specs, self.judge)
            self._take(problem, [(t, outcome) for t, outcome in zip(free, outcomes) if outcome is not None], index)

    def _run_alone(self, problem: Problem, study: int, trial: Trial, index: int) -> None:
        """One run by itself, again after a failure as often as the sweep says."""
        # A failure inside a stack was a try, too.
        tries = self.spec.retries + 1 - bool(trial.error)
        curve = self._curve(problem) if index == 0 else ""
        while trial.lacks(index) and tries > 0:
            if not self.judge.going():
                return
            tries -= 1
            watcher = Watcher(self.judge, study, trial.proposal.number, curve)
            name = run_id(trial.specs[index], self.places)
            with leased(self.places, [name], self.judge.going) as got:
                if got == "stopped":
                    return
                if got == "after waiting" and self._known(problem, trial, index, name):
                    break
                outcome = self.runner.alone(trial.specs[index], watcher)
                if not outcome.extra.get("complete", True):
                    # Stopped without being pruned, the sweep itself was stopped; the checkpoint stays for the next
                    # time.
                    if watcher.pruned:
                        self._prune(trial, outcome, watcher.pruned)
                    return
                self._take(problem, [(trial, outcome)], index)
        if trial.lacks(index):
            # Failed for good: nobody will go on from there.
            self.places.checkpoint(run_id(trial.specs[index], self.places)).unlink(missing_ok=True)
            trial.end("failed", error=trial.error)
        elif pruner_kind(self.spec.pruner).looks == "runs" and trial.ended is None:
            self._compare(study, trial, index)

    def _known(self, problem: Problem, trial: Trial, index: int, run: str) -> bool:
        """Whether another process has finished the run meanwhile and its numbers are all that is needed.

        A search of post-processing needs raw scores, which no ledger keeps.
        """
        row = self.runner.ledger.runs().filter(run=run, status="finished")
        if problem.space.post().parameters or row.is_empty():
            return False
        rows = self.runner.ledger.metrics([run]).drop("run", "attempt").to_arrow()
        outcome = Outcome(run=row.row(0, named=True), metrics=rows)
        trial.numbers[index] = numbers_of(problem, validation_metrics(outcome), float(outcome.run["seconds"]))
        return True

    def _take(self, problem: Problem, done: Sequence[tuple[Trial, Outcome]], index: int) -> None:
        """Record runs and take their objectives; those whose post-processing is to be searched wait for that."""
        # Their rows are recorded with all settings of the search in one commit: a finished run alone in the ledger
        # means that its search is missing.
        waits = bool(problem.space.post().parameters)
        self.runner.record([o for _, o in done if o.run["status"] == "failed" or not waits])
        for trial, outcome in done:
            trial.error = str(outcome.run.get("error") or "")
            if outcome.run["status"] == "failed":
                continue
            trial.numbers[index] = numbers_of(problem, validation_metrics(outcome), float(outcome.run["seconds"]))
            if waits:
                trial.held.append(outcome)

    # Giving up ----------------------------------------------------------------------------------------------------

    def _curve(self, problem: Problem) -> str:
        """The progress value that the pruner looks at, if it looks at curves."""
        looks = pruner_kind(self.spec.pruner).looks
        return f"validation/{known_objectives(problem)[0].metric}" if looks == "curve" else ""

    def _compare(self, study: int, trial: Trial, index: int) -> None:
        """Let the pruner compare this trial with the best one over the runs that both have."""
        following = trial.specs[index + 1 :]
        if self.judge.judge(study, trial.proposal.number, index, trial.numbers[index][0]) and following:
            self._prune(trial, self.runner.unfinished(following[0]), f"run {index + 1} of {len(trial.specs)}")

    def _prune(self, trial: Trial, outcome: Outcome, place: str) -> None:
        error = f"stopped after {place} by the sweep's {self.spec.pruner.name} pruner"
        # Its curves stay, numbers that could be believed do not.
        row = {**outcome.run, "status": "pruned", "error": error}
        self.runner.record([replace(outcome, run=row, metrics=(), predictions=())])
        trial.end("pruned", error=error)

    # Ends ---------------------------------------------------------------------------------------------------------

    def _conclude(self, problem: Problem, trial: Trial) -> None:
        """All runs are done: the means of the objectives, or the best of the post-processing over all the runs."""
        if trial.ended is not None:
            return
        if problem.space.post().parameters:
            found = search_post(problem, trial.proposal.values, [Scored.of(o) for o in trial.held], self.spec.inner)
            self.runner.record(found.outcomes)
            self._judge_end(trial, found.objectives, found.values)
            return
        columns = list(zip(*(trial.numbers[i] for i in range(len(trial.specs)))))
        self._judge_end(trial, tuple(math.fsum(column) / len(column) for column in columns), {})

    def _judge_end(self, trial: Trial, objectives: tuple[float, ...], post: Values) -> None:
        """Complete with finite objectives, failed without: a sampler could do nothing with them."""
        if all(map(math.isfinite, objectives)):
            trial.end("complete", objectives, post=post)
        else:
            trial.end("failed", error=NOT_FINITE)


def validation_metrics(outcome: Outcome) -> dict[tuple[str, float | None], float]:
    """The validation metrics of an outcome at the point that validation chose, without those of single classes."""
    rows: list[Mapping[str, Any]] = to_table("metrics", outcome.metrics, outcome.id, "").to_pylist()
    return {
        (row["metric"], None if row["threshold"] is None else round(row["threshold"], 6)): row["value"]
        for row in rows
        if row["split"] == "validation" and row["selection"] == "validation" and not row["label"]
    }
