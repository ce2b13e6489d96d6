"""Comparing things of one kind: methods and runs, boards, or ledgers."""

from __future__ import annotations

from collections.abc import Sequence

from suite.analyse.compare import DRAWS, Compared, compare
from suite.analyse.matched import Matched, match
from suite.analyse.sides import find_side, row_by_row, same_kind
from suite.api.planned import tuned
from suite.errors import UsageError
from suite.places import Places


def compared(names: Sequence[str], places: Places, dataset: str = "", draws: int = DRAWS) -> list[Compared | Matched]:
    """The first of ``names`` against each other one: pairs of runs, or rows of boards or ledgers.

    Names as in :func:`suite.analyse.sides.find_side`; ``draws``: replicates of the bootstrap, 0 for none.

    Raises:
        UsageError: fewer than two names, unlike kinds, or nothing to compare.
    """
    if len(names) < 2:
        raise UsageError("name two or more to compare: methods, runs, leaderboards or folders of results.")
    sides = [find_side(name, places, dataset, tuned) for name in names]
    same_kind(sides)
    first, *others = sides
    return [
        match(first, other, draws) if row_by_row(first, other) else compare(first, other, draws) for other in others
    ]
