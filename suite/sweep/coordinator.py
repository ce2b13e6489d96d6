"""Who hands out work: one object for a whole sweep, asked by every worker, rebuilt from the ledger when it starts.

It lives in a Ray actor beside the driver, but knows nothing of Ray. What it remembers may die with it at any moment:
the ledger has what is finished, and a configuration that was out is handed out again.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from suite.places import Places
from suite.results.ledger import Ledger
from suite.spec.sweep import SweepSpec
from suite.sweep.history import Observed, State, Tables, observe
from suite.sweep.journal import Journal
from suite.sweep.problem import Problem, problems
from suite.sweep.proposals import Proposal, Proposals
from suite.sweep.space import Values

BATCHING = {"grid": 1.0, "random": 1.0, "qmc": 1.0, "nsga2": 1.0, "cmaes": 0.5, "tpe": 0.5, "gp": 0.25}


@dataclass(frozen=True)
class Work:
    """Configurations of one study for one worker; more than one are trained as one packed network where possible."""

    number: int
    study: int
    proposals: tuple[Proposal, ...]


@dataclass(frozen=True)
class Ended:
    """What became of one proposal; ``post`` is the best post-processing found for it."""

    number: int
    state: State
    objectives: tuple[float, ...] = ()
    post: Values = field(default_factory=dict)
    error: str = ""


Answer = Work | Literal["wait", "over"]


@dataclass
class _Study:
    problem: Problem
    proposals: Proposals
    ended: list[Observed]
    packable: bool = False


class Coordinator:
    """Hands out the work of ``spec`` and takes note of what comes back.

    ``packable`` says of each study whether its configurations can be packed; ``workers`` how many will ask.
    """

    def __init__(self, spec: SweepSpec, places: Places, packable: Sequence[bool] = (), workers: int = 1) -> None:
        self.spec, self.places, self.workers = spec, places, workers
        self.journal = Journal(places.local / "sweeps" / spec.name / "asked.jsonl")
        self.studies = self._rebuilt(list(packable))
        self.at_work: dict[str, list[Work]] = {}
        self.returned: deque[Work] = deque()
        self.strikes: Counter[tuple[int, str]] = Counter()
        self.stopping = False
        self.works = 0
        self.began = time.monotonic()
        self.before = sum(len(study.ended) for study in self.studies)

    def _rebuilt(self, packable: list[bool]) -> list[_Study]:
        ledger = Ledger(self.places.ledger)
        found = problems(self.spec)
        tables = Tables.read(ledger, {problem.method for problem in found})
        studies = []
        for index, problem in enumerate(found):
            observed = observe(problem, self.places, tables)
            proposals = Proposals(problem, observed, self.journal.read(problem.title))
            ended = [one for one in observed if one.state != "partial"]
            studies.append(_Study(problem, proposals, ended, packable[index] if packable else False))
        return studies

    # What workers ask ---------------------------------------------------------------------------------------------

    def next(self, worker: str) -> Answer:
        """Work for ``worker``; ``wait`` while others may still return some; ``over`` when there is none left."""
        if self.at_work.get(worker):
            self.lost(worker)  # it was started anew and knows of nothing
        if self.stopping or self._late():
            return "over"
        work = self.returned.popleft() if self.returned else self._fresh()
        if work is not None:
            self.at_work.setdefault(worker, []).append(work)
            return work
        return "wait" if any(self.at_work.values()) else "over"

    def done(self, worker: str, work: int, ended: Sequence[Ended]) -> None:
        """What became of a piece of work; proposals that are not mentioned were abandoned."""
        mine = self.at_work.get(worker, [])
        piece = next((one for one in mine if one.number == work), None)
        if piece is None:
            return  # it was taken for lost and is with somebody else
        mine.remove(piece)
        study = self.studies[piece.study]
        values = {proposal.number: proposal.values for proposal in piece.proposals}
        for one in ended:
            study.proposals.close(one.number, one.state, one.objectives)
            facts: Any = {"state": one.state, "post": one.post, "objectives": one.objectives, "error": one.error}
            study.ended.append(Observed(values[one.number], own=True, **facts))
        abandoned = [p for p in piece.proposals if p.number not in {one.number for one in ended}]
        self._give_back(piece.study, abandoned)

    def judge(self, study: int, number: int, step: int, value: float) -> bool:
        """Whether the proposal should be given up, given its objective after ``step`` evaluations (or runs)."""
        return self.studies[study].proposals.judge(number, step, value)

    def going(self) -> bool:
        """Whether running trials should go on."""
        return not self.stopping

    # What the driver says -----------------------------------------------------------------------------------------

    def lost(self, worker: str) -> None:
        """``worker`` is gone: what it had is given to others, and given up when it kills whoever takes it."""
        from suite.sweep.failures import record_failure

        for work in self.at_work.pop(worker, []):
            again = []
            for proposal in work.proposals:
                key = (work.study, self.studies[work.study].problem.space.key(proposal.values))
                self.strikes[key] += len(work.proposals) == 1
                if self.strikes[key] <= self.spec.retries:
                    again.append(proposal)
                    continue
                problem = self.studies[work.study].problem
                count = self.strikes[key]
                error = f"its process died {count} time{'s' if count > 1 else ''} (killed, or out of memory)"
                record_failure(problem, proposal.values, self.places, error)
                self.studies[work.study].proposals.close(proposal.number, "failed")
                self.studies[work.study].ended.append(Observed(proposal.values, "failed", error=error, own=True))
            self._give_back(work.study, again)

    def stop(self) -> None:
        """Hand out nothing more, and ask those at work to stop."""
        self.stopping = True

    def settled(self) -> bool:
        """Whether nothing is left to do, nor being done."""
        ending = self.stopping or self._late()
        return not any(self.at_work.values()) and (ending or (not self.returned and self._empty()))

    def abandoned(self) -> list[str]:
        """What was handed out and did not come to its end, in words."""
        out = (study.proposals.out.values() for study in self.studies)
        return [
            f"{study.problem.title}: {', '.join(f'{k}={v}' for k, v in asked.proposal.values.items())}"
            for study, several in zip(self.studies, out)
            for asked in several
        ]

    def close(self) -> None:
        """The sweep came to its end: forget what was under way."""
        self.journal.clear()

    def snapshot(self) -> dict[str, Any]:
        """Where the sweep is: for each study its counts and best trials; what is running; seconds so far."""
        from suite.sweep.standing import standing

        running = {
            worker: [(w.study, p.values) for w in works for p in w.proposals] for worker, works in self.at_work.items()
        }
        studies = [standing(s.problem, s.ended, s.proposals.planned) for s in self.studies]
        done = sum(len(study.ended) for study in self.studies)
        seconds = time.monotonic() - self.began
        return {"studies": studies, "running": running, "seconds": seconds, "new": done - self.before}

    # Inside -------------------------------------------------------------------------------------------------------

    def _fresh(self) -> Work | None:
        """New proposals of the study that had the fewest so far."""
        order = sorted(range(len(self.studies)), key=lambda i: self.studies[i].proposals.numbers)
        for index in order:
            if proposals := self._batch(self.studies[index]):
                self.works += 1
                for proposal in proposals:
                    self.journal.note(self.studies[index].problem.title, proposal.values)
                return Work(self.works, index, tuple(proposals))
        return None

    def _batch(self, study: _Study) -> list[Proposal]:
        share = BATCHING[self.spec.sampler.name] if study.packable else 0.0
        left = study.proposals.planned - study.proposals.counted - len(study.proposals.out)
        size = max(1, int(min(self.spec.packed * share, math.ceil(left / self.workers) if left < math.inf else 1e9)))
        found: list[Proposal] = []
        while len(found) < size and (proposal := study.proposals.next()) is not None:
            found.append(proposal)
        return found

    def _give_back(self, study: int, proposals: Sequence[Proposal]) -> None:
        """Hand these out again, one by one: what killed a pack is found that way."""
        for proposal in proposals:
            self.works += 1
            self.returned.append(Work(self.works, study, (proposal,)))

    def _late(self) -> bool:
        hours = self.spec.budget.hours
        return hours is not None and time.monotonic() - self.began > 3600 * hours

    def _empty(self) -> bool:
        """Whether no study has a proposal left; one that is found is kept for the next worker."""
        work = self._fresh()
        if work is not None:
            self.returned.append(work)
        return work is None
