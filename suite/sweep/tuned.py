"""The parameters that a sweep found best, for leaderboards (``params = "tuned:NAME"``) and for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from suite.errors import UsageError
from suite.hyper import Value
from suite.places import Places
from suite.registry import method as find_method
from suite.results.ledger import Ledger
from suite.spec.card import parse_dataset_name
from suite.spec.sweep import SweepSpec
from suite.sweep.files import known_sweep
from suite.sweep.history import Observed, Tables, observe
from suite.sweep.problem import Problem, problems
from suite.sweep.standing import ranked


@dataclass(frozen=True)
class Finding:
    """What the ledger has of one study: every configuration, oldest first."""

    problem: Problem
    observed: list[Observed]

    @property
    def best(self) -> Observed | None:
        """The configuration that validation data chose."""
        return next(iter(ranked(self.problem, self.observed)), None)


def findings(spec: SweepSpec, places: Places) -> list[Finding]:
    """Every study of ``spec`` with what the ledger has of it; nothing is run."""
    found = problems(spec)
    tables = Tables.read(Ledger(places.ledger), {problem.method for problem in found})
    return [Finding(problem, observe(problem, places, tables)) for problem in found]


def tuned(name: str, method: str, dataset: str, places: Places) -> Mapping[str, Value]:
    """The best parameters that the sweep ``name`` found for ``method`` on ``dataset``, its fixed ones included.

    Dials that were swept are left out: a leaderboard says itself which world it shows. Raises :class:`UsageError` when
    the sweep has no such study or nothing finished in it.
    """
    for finding in findings(known_sweep(name, places), places):
        problem = finding.problem
        if problem.method == method and any(_same(dataset, own) for own in problem.datasets):
            if finding.best is None:
                raise UsageError(f"sweep {name} has no finished trial of {problem.title}; run: suite sweep {name}.")
            own = find_method(method).hypers
            return {**problem.fixed, **{k: v for k, v in finding.best.settings.items() if k in own}}
    raise UsageError(f"sweep {name} has no study of {method} on {dataset}; add them to its file or take another.")


def _same(one: str, other: str) -> bool:
    """Whether two dataset names mean the same data."""
    from suite.data import find_card

    (name, dials), (other_name, other_dials) = parse_dataset_name(one), parse_dataset_name(other)
    if name != other_name:
        return False
    card = find_card(name)
    resolved: list[Any] = [card.resolve_dials(d) for d in (dials, other_dials)]
    return bool(resolved[0] == resolved[1])
