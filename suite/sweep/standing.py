"""Where a study stands: counts, the best trials so far, the front of several objectives."""

from __future__ import annotations

from bisect import insort
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from suite.spec.sweep import SweepSpec
from suite.sweep.history import Observed, known_objectives
from suite.sweep.problem import Problem
from suite.work.progress import Pace, Standing

SHOWN = 10


def standing(problem: Problem, ended: Sequence[Observed], planned: float) -> dict[str, Any]:
    """One study as plain values: ``title``, ``planned``, ``counts`` by state, ``best`` rows, ``objectives`` by name."""
    return Tally(problem, ended).standing(planned)


class Tally:
    """What is known of a study's trials, kept as they end: a driver looks twice a second, whatever their number."""

    def __init__(self, problem: Problem, ended: Iterable[Observed] = ()) -> None:
        self.problem = problem
        self.counts: Counter[str] = Counter()
        self.errors: deque[Observed] = deque(maxlen=SHOWN)
        self.best: list[Observed] = []
        for one in ended:
            self.add(one)

    def add(self, one: Observed) -> None:
        """Take note of a trial."""
        self.counts[one.state] += 1
        if one.state == "failed":
            self.errors.append(one)
        if one.state == "complete":
            insort(self.best, one, key=self._loss)
            # With several objectives whether one is beaten depends on all.
            if len(self.problem.sweep.objectives) == 1:
                del self.best[SHOWN:]

    def standing(self, planned: float) -> dict[str, Any]:
        """See :func:`standing`."""
        best = ranked(self.problem, self.best)[:SHOWN]
        return {
            "title": self.problem.title,
            "method": self.problem.method,
            "datasets": list(self.problem.datasets),
            "planned": planned,
            "counts": {state: self.counts[state] for state in ("complete", "pruned", "failed")},
            "objectives": [objective.metric for objective in known_objectives(self.problem)],
            "best": [{"values": one.settings, "objectives": list(one.objectives)} for one in best],
            "errors": [{"values": one.values, "error": one.error} for one in self.errors],
        }

    def _loss(self, one: Observed) -> float:
        maximized = self.problem.sweep.objectives[0].direction == "maximize"
        return -one.objectives[0] if maximized else one.objectives[0]


def overall(spec: SweepSpec, snapshot: Mapping[str, Any]) -> Standing:
    """Where the whole sweep stands, of a snapshot of its source."""
    studies, seconds = snapshot["studies"], snapshot["seconds"]
    done = sum(sum(study["counts"].values()) for study in studies)
    failed = sum(study["counts"]["failed"] for study in studies)
    planned = sum(study["planned"] for study in studies)
    pace = Pace(planned - done + snapshot["new"], snapshot["new"])
    # An epoch of one of a trial's runs, of which there may be several, and of all trials of a stack at once.
    sizes = {worker: len(units) for worker, units in snapshot["running"].items()}
    under_way = sum(one.share * sizes.get(one.worker, 1) / spec.instances for one in snapshot["under_way"])
    left = pace.left(under_way, seconds)
    return Standing(f"sweep {spec.name}", done, planned, failed, snapshot["under_way"], _best(studies), seconds, left)


def _best(studies: Sequence[Mapping[str, Any]]) -> str:
    """The first objective of the best trial; empty where several studies have different ones."""
    if len(studies) != 1 or not studies[0]["best"]:
        return ""
    return f"{studies[0]['best'][0]['objectives'][0]:.4f}"


def in_words(values: Mapping[str, Any]) -> str:
    """A configuration in one line."""
    shown = ((name, f"{value:.4g}" if isinstance(value, float) else value) for name, value in values.items())
    return ", ".join(f"{name}={value}" for name, value in shown) or "defaults"


def ranked(problem: Problem, ended: Sequence[Observed]) -> list[Observed]:
    """Complete configurations, best first; with several objectives those of the front first, by the first objective."""
    complete = [one for one in ended if one.state == "complete"]
    signs = [1 if o.direction == "maximize" else -1 for o in problem.sweep.objectives]

    def gains(one: Observed) -> tuple[float, ...]:
        return tuple(sign * value for sign, value in zip(signs, one.objectives))

    # With one objective being beaten says no more than the order itself.
    behind = _beaten({id(one): gains(one) for one in complete}) if len(signs) > 1 else set()
    return sorted(complete, key=lambda one: (id(one) in behind, -gains(one)[0]))


def _beaten(gains: Mapping[int, tuple[float, ...]]) -> set[int]:
    """Those of ``gains`` that another one equals or exceeds in all objectives, without being the same."""
    found: set[int] = set()
    front: list[tuple[float, ...]] = []
    # What beats one comes before it in this order, and what beats that, too: to look at the front is enough.
    for name, mine in sorted(gains.items(), key=lambda item: item[1], reverse=True):
        if any(other != mine and all(a >= b for a, b in zip(other, mine)) for other in front):
            found.add(name)
        else:
            front.append(mine)
    return found
