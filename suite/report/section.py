"""One part of a report: a table on one dataset and what stands below it."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from suite.report.comparison import Comparison
from suite.report.history import Moved
from suite.report.rows import RowFacts
from suite.report.views import View


@dataclass(frozen=True)
class Section:
    """One view with all that is shown below it; ``seeds``, ``trials``: lines of text under a heading, or nothing.

    ``moved``: the rows that older code or data answered as well.
    """

    view: View
    curves: pl.DataFrame
    per_class: pl.DataFrame
    compared: tuple[Comparison, ...]
    seeds: list[list[str]]
    trials: list[list[str]]
    cost: str
    rows: tuple[RowFacts, ...]
    moved: tuple[Moved, ...] = ()
