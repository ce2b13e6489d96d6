"""Where a study stands: counts, the best trials so far, the front of several objectives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from suite.spec.sweep import SweepSpec
from suite.sweep.history import Observed, known_objectives
from suite.sweep.problem import Problem
from suite.work.progress import Pace, Standing

SHOWN = 10


def standing(problem: Problem, ended: Sequence[Observed], planned: float) -> dict[str, Any]:
    """One study as plain values: ``title``, ``planned``, ``counts`` by state, ``best`` rows, ``objectives`` by name."""
    counts = Counter(one.state for one in ended)
    complete = ranked(problem, ended)
    return {
        "title": problem.title,
        "method": problem.method,
        "datasets": list(problem.datasets),
        "planned": planned,
        "counts": {state: counts.get(state, 0) for state in ("complete", "pruned", "failed")},
        "objectives": [objective.metric for objective in known_objectives(problem)],
        "best": [{"values": one.settings, "objectives": list(one.objectives)} for one in complete[:SHOWN]],
        "errors": [{"values": one.values, "error": one.error} for one in ended if one.state == "failed"][-SHOWN:],
    }


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

    def beaten(one: Observed) -> bool:
        mine = gains(one)
        others = (gains(other) for other in complete)
        return any(other != mine and all(a >= b for a, b in zip(other, mine)) for other in others)

    # With one objective being beaten says no more than the order itself.
    behind = {id(one): beaten(one) for one in complete} if len(signs) > 1 else {}
    return sorted(complete, key=lambda one: (behind.get(id(one), False), -gains(one)[0]))
