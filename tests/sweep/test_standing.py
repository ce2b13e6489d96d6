"""Which trials are the best: with several objectives by the front, however the trials came in."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

from suite.sweep.history import Observed
from suite.sweep.problem import problems
from suite.sweep.standing import SHOWN, Tally, ranked, standing
from tests.sweep.conftest import sweep


def trials(count: int, objectives: int) -> list[Observed]:
    draw = random.Random(count)
    made = []
    for number in range(count):
        values: dict[str, Any] = {"q": number / count}
        state: Any = draw.choice(["complete", "complete", "complete", "failed", "pruned"])
        ends = tuple(draw.randrange(12) / 10 for _ in range(objectives)) if state == "complete" else ()
        made.append(Observed(values, state=state, objectives=ends, error="why" if state == "failed" else ""))
    return made


def beaten(one: Observed, all_: list[Observed]) -> bool:
    """The definition, pair by pair: the second objective is minimized."""
    a, b = one.objectives
    return any((x, y) != (a, b) and x >= a and y <= b for x, y in (other.objectives for other in all_))


def test_the_front_comes_first_then_the_rest_by_the_first_objective() -> None:
    spec = sweep(objectives=[{"metric": "mAP"}, {"metric": "seconds", "direction": "minimize"}])
    (problem,) = problems(spec)
    for count in (1, 7, 60):
        ended = trials(count, 2)
        complete = [one for one in ended if one.state == "complete"]
        order = ranked(problem, ended)
        assert sorted(map(id, order)) == sorted(map(id, complete))
        keys = [(beaten(one, complete), -one.objectives[0]) for one in order]
        assert all(before <= after for before, after in pairwise(keys))


def test_counted_one_by_one_or_all_at_once_is_the_same() -> None:
    for objectives in ([{"metric": "mAP"}], [{"metric": "mAP"}, {"metric": "seconds", "direction": "minimize"}]):
        (problem,) = problems(sweep(objectives=objectives))
        tally, ended = Tally(problem), trials(200, len(objectives))
        for one in ended:
            tally.add(one)
        whole = standing(problem, ended, 300)
        assert tally.standing(300) == whole and len(whole["best"]) == SHOWN
        assert whole["best"] == [
            {"values": one.settings, "objectives": list(one.objectives)} for one in ranked(problem, ended)[:SHOWN]
        ]
        assert sum(whole["counts"].values()) == 200
        assert [row["values"] for row in whole["errors"]] == [o.values for o in ended if o.state == "failed"][-SHOWN:]
