"""What a sweep still has to do, and what that will cost by the ledger's own timings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from suite.places import Places
from suite.results.brief import brief
from suite.spec.sweep import DEFAULT_TRIALS, SweepSpec
from suite.sweep.proposals import Proposals
from suite.sweep.tuned import Finding, findings
from suite.work.timings import Timings


@dataclass(frozen=True)
class StudyPlan:
    """One study: trials planned and left, runs left, expected seconds of one run (None: no timing yet)."""

    title: str
    planned: float
    done: int
    left: float
    runs: float
    seconds_a_run: float | None

    @property
    def seconds(self) -> float | None:
        """Expected seconds of computing for what is left."""
        return None if self.seconds_a_run is None else self.runs * self.seconds_a_run


def plan_sweep(spec: SweepSpec, places: Places) -> list[StudyPlan]:
    """The plan of every study of ``spec``; nothing is run."""
    timings = Timings.of(brief(places.ledger, places.brief))
    return [_plan(finding, timings) for finding in findings(spec, places)]


def cost(spec: SweepSpec, plans: list[StudyPlan], at_once: int) -> dict[str, Any]:
    """CPU and GPU hours of what is left, and wall-clock hours with ``at_once`` trials; None without timings."""
    seconds = [plan.seconds for plan in plans if plan.runs]
    known = None if any(s is None for s in seconds) else math.fsum(s for s in seconds if s is not None) / 3600
    share = max(1, spec.resources.workers)
    wall = None if known is None else known / max(1, at_once)
    if spec.budget.hours is not None:
        wall = spec.budget.hours if wall is None else min(wall, spec.budget.hours)
    return {
        "trials left": sum(plan.left for plan in plans),
        "runs left": sum(plan.runs for plan in plans),
        "CPU hours": None if known is None else known * spec.resources.cpu * share,
        "GPU hours": None if known is None else known * spec.resources.gpu * share,
        "wall hours": wall,
    }


def _plan(finding: Finding, timings: Timings) -> StudyPlan:
    problem = finding.problem
    proposals = Proposals(problem, finding.observed)
    planned = proposals.planned if math.isfinite(proposals.planned) else max(DEFAULT_TRIALS, proposals.counted)
    left = max(0.0, planned - proposals.counted)
    partial = sum(one.state == "partial" and one.own for one in finding.observed)
    done = sum(_finished(one) for one in finding.observed if one.state == "partial" and one.own)
    runs = left * problem.sweep.instances - (done if partial else 0)
    spec = problem.runs(problem.space.defaults())[0]
    expected = timings.expected(spec)
    return StudyPlan(problem.title, planned, proposals.counted, left, max(0.0, runs), expected)


def _finished(one: Any) -> int:
    return sum(all(map(math.isfinite, numbers)) for numbers in one.instances)
