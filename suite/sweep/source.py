"""A sweep as a source of work: Optuna's proposals of every study, rebuilt from the ledger when it starts."""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from suite.places import Places
from suite.runs import run_id
from suite.spec.sweep import SweepSpec
from suite.sweep.history import Observed, State, Tables, observe
from suite.sweep.journal import Journal
from suite.sweep.problem import Problem, problems
from suite.sweep.proposals import Proposal, Proposals
from suite.sweep.samplers import sampler_kind
from suite.sweep.space import Values
from suite.sweep.standing import Tally, in_words
from suite.work.machine import Machine
from suite.work.source import Source
from suite.work.worker import Runner


@dataclass(frozen=True)
class Candidate:
    """A proposal of the sweep's study number ``study``."""

    study: int
    proposal: Proposal


@dataclass(frozen=True)
class Ended:
    """What became of proposal ``number``; ``post`` is the best post-processing found for it."""

    number: int
    state: State
    objectives: tuple[float, ...] = ()
    post: Values = field(default_factory=dict)
    error: str = ""


@dataclass
class _Study:
    problem: Problem
    proposals: Proposals
    ended: list[Observed]
    packable: bool = False

    def __post_init__(self) -> None:
        self.tally = Tally(self.problem, self.ended)


class SweepSource(Source):
    """Hands out the candidates of ``spec`` and takes note of what comes back.

    ``packable`` says of each study whether its configurations can be packed; ``workers`` how many will ask.
    """

    def __init__(self, spec: SweepSpec, places: Places, packable: Sequence[bool] = (), workers: int = 1) -> None:
        super().__init__()
        self.spec, self.places, self.workers = spec, places, workers
        self.retries = spec.retries
        self.runner = Runner(places, Machine.of(spec.resources), spec.name)
        self.journal = Journal(places.local / "sweeps" / spec.name / "asked.jsonl")
        self.studies = self._rebuilt(list(packable))
        self.began = time.monotonic()
        self.before = sum(len(study.ended) for study in self.studies)

    def _rebuilt(self, packable: list[bool]) -> list[_Study]:
        found = problems(self.spec)
        tables = Tables.read(self.runner.ledger, {problem.method for problem in found})
        studies = []
        for index, problem in enumerate(found):
            observed = observe(problem, self.places, tables)
            proposals = Proposals(problem, observed, self.journal.read(problem.title))
            ended = [one for one in observed if one.state != "partial"]
            studies.append(_Study(problem, proposals, ended, packable[index] if packable else False))
        return studies

    # What a source says -------------------------------------------------------------------------------------------

    def fresh(self) -> Sequence[Candidate]:
        """New proposals of the study that had the fewest so far; several where they may train as one stack."""
        # Studies take turns, so that an interrupted sweep has something of each of them.
        order = sorted(range(len(self.studies)), key=lambda i: self.studies[i].proposals.numbers)
        for index in order:
            if proposals := self._batch(self.studies[index]):
                for proposal in proposals:
                    # Written before a worker gets it: after a crash the same values come again and find their
                    # checkpoints.
                    self.journal.note(self.studies[index].problem.title, proposal.values)
                return [Candidate(index, proposal) for proposal in proposals]
        return []

    def key(self, unit: Candidate) -> Hashable:
        """The study and its configuration, whatever number the proposal has this time."""
        return unit.study, self.studies[unit.study].problem.space.key(unit.proposal.values)

    def take(self, units: Sequence[Candidate], results: Sequence[Ended]) -> Sequence[Candidate]:
        """Close the proposals that came to their end; those that are not mentioned were stopped on their way."""
        ends = {one.number: one for one in results}
        for unit in units:
            if unit.proposal.number in ends:
                self._close(unit, ends[unit.proposal.number])
        return [unit for unit in units if unit.proposal.number not in ends]

    def give_up(self, unit: Candidate, deaths: int) -> None:
        """Record the first unfinished run of the configuration as failed, as often as makes that final."""
        error = f"its process died {deaths} time{'s' if deaths > 1 else ''} (killed, or out of memory)"
        finished = self.runner.ledger.finished()
        specs = self.studies[unit.study].problem.runs(unit.proposal.values)
        for spec in [spec for spec in specs if run_id(spec, self.places) not in finished][:1]:
            # The ledger does not record deaths: a run counts as failed there after more failures than retries.
            for _ in range(self.retries + 1):
                self.runner.record([self.runner.unfinished(spec).failed(error)])
        self._close(unit, Ended(unit.proposal.number, "failed", error=error))

    def describe(self, unit: Candidate) -> str:
        """The study and the configuration."""
        return f"{self.studies[unit.study].problem.title}: {in_words(unit.proposal.values)}"

    def late(self) -> bool:
        """Whether the hours of the sweep's budget are over."""
        hours = self.spec.budget.hours
        return hours is not None and time.monotonic() - self.began > 3600 * hours

    def close(self) -> None:
        """All work came to its end: nothing is under way any more."""
        super().close()
        self.journal.clear()

    def snapshot(self) -> dict[str, Any]:
        """For each study its counts and best trials; what is running, how far that is (``under_way``), and
        what would be abandoned; seconds so far."""
        at_work = {worker: item.units for worker, item in self.at_work.items()}
        return {
            "studies": [s.tally.standing(s.proposals.planned) for s in self.studies],
            "running": {worker: [(u.study, u.proposal.values) for u in units] for worker, units in at_work.items()},
            "under_way": self.running(),
            "open": [f"{s.problem.title}: {in_words(v)}" for s in self.studies for v in s.proposals.under_way],
            "seconds": time.monotonic() - self.began,
            "new": sum(len(study.ended) for study in self.studies) - self.before,
        }

    # What performers of a sweep need besides ------------------------------------------------------------------------

    def judge(self, study: int, number: int, step: int, value: float) -> bool:
        """Whether the proposal should be stopped early, given its objective after ``step`` evaluations (or runs)."""
        return self.studies[study].proposals.judge(number, step, value)

    # Inside -------------------------------------------------------------------------------------------------------

    def _batch(self, study: _Study) -> list[Proposal]:
        share = sampler_kind(self.spec.sampler).batch if study.packable else 0.0
        left = study.proposals.planned - study.proposals.counted - len(study.proposals.out)
        # The last proposals are divided over the workers, so that none is idle beside one large stack.
        size = max(1, int(min(self.spec.packed * share, math.ceil(left / self.workers) if left < math.inf else 1e9)))
        found: list[Proposal] = []
        while len(found) < size and (proposal := study.proposals.next()) is not None:
            found.append(proposal)
        return found

    def _close(self, unit: Candidate, end: Ended) -> None:
        study = self.studies[unit.study]
        study.proposals.close(end.number, end.state, end.objectives)
        facts: Any = {"state": end.state, "post": end.post, "objectives": end.objectives, "error": end.error}
        study.ended.append(Observed(unit.proposal.values, own=True, **facts))
        study.tally.add(study.ended[-1])
