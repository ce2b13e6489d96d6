"""Which configuration comes next in one study: points first, then the grid or the sampler, none of them twice."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from suite.spec.sweep import DEFAULT_TRIALS
from suite.sweep.history import Observed, State
from suite.sweep.problem import Problem
from suite.sweep.samplers import sampler_kind
from suite.sweep.space import Space, Values
from suite.sweep.study import make_study

if TYPE_CHECKING:
    from optuna.trial import Trial

REPEATS = 30  # proposals that were known already, in a row, before a finite space is listed instead
LISTABLE = 100_000  # configurations


@dataclass(frozen=True)
class Proposal:
    """A configuration to run; ``known`` are the objectives of those of its runs that the ledger has already."""

    number: int
    values: Values
    known: dict[int, tuple[float, ...]] = field(default_factory=dict)


@dataclass
class OpenProposal:
    """A proposal that is out; ``trial`` is Optuna's side of it, None for one outside the space."""

    proposal: Proposal
    trial: Trial | None


class Proposals:
    """The search of one problem over its trained axes.

    ``observed`` is what the ledger knows; ``pending`` are configurations that an earlier process was running.
    """

    def __init__(self, problem: Problem, observed: Sequence[Observed], pending: Iterable[Values] = ()) -> None:
        spec = problem.sweep
        self.problem = problem
        self.space: Space = problem.space.trained()
        self.observed = {self.space.key(one.values): one for one in observed}
        closed = [one for one in observed if one.state != "partial"]
        directions = [objective.direction for objective in spec.objectives]
        # Optuna learns only of what ended: a partial configuration is proposed again and reported when it ends.
        self.study = make_study(self.space, spec.sampler, spec.pruner, directions, closed, spec.seed)
        self.closed: dict[str, State] = {self.space.key(one.values): one.state for one in closed}
        # What others ran teaches the sampler, but does not use up this sweep's budget.
        self.counted = sum(one.own for one in closed)
        self.out: dict[int, OpenProposal] = {}
        self.out_keys: Counter[str] = Counter()  # thousands may be out at once, and each new proposal is looked up
        self.numbers = len(observed)
        partial = [one.values for one in observed if one.state == "partial" and one.own]
        # What was begun comes first: its finished runs and checkpoints save work. Only then the points of the file.
        self.queue = deque([*partial, *(v for v in pending if self.space.contains(v)), *problem_points(problem)])
        self.grid: Iterator[Values] = self.space.grid() if spec.sampler.name == "grid" else iter(())
        # Seeded by progress, too, so that a resumed sweep does not draw its first choices again.
        self.random = random.Random(spec.seed + len(closed))
        self.left: list[Values] | None = None

    @property
    def limit(self) -> float:
        """How many trials the sweep may have."""
        spec = self.problem.sweep
        if spec.budget.trials is not None:
            return spec.budget.trials
        endless = spec.sampler.name == "grid" or spec.budget.hours is not None
        return float("inf") if endless else DEFAULT_TRIALS

    @cached_property
    def planned(self) -> float:
        """How many trials there will be (infinite where only time ends them), as the ledger was at the start."""
        if self.problem.sweep.sampler.name != "grid":
            # Points may lie outside of a finite space, the defaults among them.
            return min(self.limit, self.space.size + len(self.problem.sweep.points) + 1)
        keys = {self.space.key(values) for values in (*problem_points(self.problem), *self.space.grid())}
        # Grid points that another sweep or a board has ended are neither run nor counted.
        foreign = {key for key, one in self.observed.items() if not one.own and key in self.closed}
        return min(self.limit, len(keys - foreign))

    @property
    def under_way(self) -> list[Values]:
        """The configurations that have been handed out and have not come to their end."""
        return [asked.proposal.values for asked in self.out.values()]

    def next(self) -> Proposal | None:
        """The next configuration, or None when the budget or the space is used up."""
        if self.counted + len(self.out) >= self.limit:
            return None
        while self.queue:
            if (proposal := self._fixed(self.queue.popleft())) is not None:
                return proposal
        for values in self.grid:
            if (proposal := self._fixed(values)) is not None:
                return proposal
        return None if self.problem.sweep.sampler.name == "grid" else self._sampled()

    def close(self, number: int, state: State, objectives: Sequence[float] = ()) -> None:
        """A proposal has come to its end."""
        from optuna.trial import TrialState

        asked = self.out.pop(number)
        key = self.space.key(asked.proposal.values)
        self.out_keys[key] -= 1
        if not self.out_keys[key]:
            del self.out_keys[key]
        self.closed[key] = state
        self.counted += 1
        if asked.trial is None:
            return
        if state == "complete":
            self.study.tell(asked.trial, list(objectives))
        else:
            self.study.tell(asked.trial, state=TrialState.PRUNED if state == "pruned" else TrialState.FAIL)

    def judge(self, number: int, step: int, value: float) -> bool:
        """Take note of an intermediate value; whether the proposal should be stopped early."""
        asked = self.out.get(number)
        if asked is None or asked.trial is None or value != value:
            return False
        # Reported even where nothing may be pruned yet: later configurations are compared with this one.
        asked.trial.report(value, step)
        return self.counted >= self.problem.sweep.pruner.startup and asked.trial.should_prune()

    def _fixed(self, values: Values) -> Proposal | None:
        """``values`` as the next proposal, unless it is known."""
        if self._is_known(values):
            return None
        # Optuna cannot hold values outside of the space; such a point is run without teaching the sampler.
        if not self.space.contains(values):
            return self._propose(values, None)
        # Enqueued and asked for, so that Optuna has a trial of its own for it, under way until it is told.
        self.study.enqueue_trial(values)
        trial = self.study.ask()
        return self._propose(self.space.suggest(trial), trial)

    def _sampled(self) -> Proposal | None:
        """A proposal of the sampler; where it repeats itself, one of what is left."""
        from optuna.trial import TrialState

        # A fixed sequence starts from its beginning in every process and passes all that it proposed before.
        passed = len(self.closed) if sampler_kind(self.problem.sweep.sampler).sequence else 0
        for _ in range(max(REPEATS, passed)):
            trial = self.study.ask()
            values = self.space.suggest(trial)
            if not self._is_known(values):
                return self._propose(values, trial)
            # Left open, a repeated proposal would count as under way, which samplers take into account.
            self.study.tell(trial, state=TrialState.FAIL)
        return self._left()

    def _left(self) -> Proposal | None:
        if self.space.size > LISTABLE:
            return None
        # A small space may be used up but for a few configurations that the sampler hardly ever draws. They are listed
        # once: what is known never becomes unknown.
        if self.left is None:
            self.left = [values for values in self.space.every() if not self._is_known(values)]
            self.random.shuffle(self.left)
        while self.left:
            if (proposal := self._fixed(self.left.pop())) is not None:
                return proposal
        return None

    def _is_known(self, values: Values) -> bool:
        key = self.space.key(values)
        return key in self.closed or key in self.out_keys

    def _propose(self, values: Values, trial: Trial | None) -> Proposal:
        self.numbers += 1
        partial = self.observed.get(self.space.key(values))
        seen = dict(enumerate(partial.instances)) if partial else {}
        known = {i: numbers for i, numbers in seen.items() if all(number == number for number in numbers)}
        proposal = Proposal(self.numbers, values, known)
        self.out[proposal.number] = OpenProposal(proposal, trial)
        self.out_keys[self.space.key(values)] += 1
        return proposal


def problem_points(problem: Problem) -> list[Values]:
    """The points of a problem without their post-processing part, each once."""
    post = {p.name for p in problem.space.post().parameters}
    points = ({name: value for name, value in point.items() if name not in post} for point in problem.points())
    return list({problem.space.key(point): point for point in points}.values())
