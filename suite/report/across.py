"""One table over several datasets: ranks, wins and losses, means in which every dataset counts the same.

Average ranks and the critical difference follow Demšar, Statistical Comparisons of Classifiers over Multiple Data Sets,
JMLR 2006, §3.2.2 (Friedman ranks, Nemenyi's test).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from suite.evaluate.significance import SeedSummary, summarize
from suite.report.figures import COLOURS, blank
from suite.report.spread import common_spread
from suite.report.views import ALPHA, View

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class AcrossRow:
    """One method over all datasets: its average ``rank`` (1 is best), ``wins``, ``ties`` and ``losses`` against the
    others, dataset by dataset, and the ``mean`` over datasets (a summary over seeds).
    """

    label: str
    rank: float
    wins: int
    ties: int
    losses: int
    mean: SeedSummary


@dataclass(frozen=True)
class Across:
    """A table over its ``datasets``, rows by rank; ``critical``: average ranks nearer than this are not different."""

    title: str
    headline: str
    datasets: tuple[str, ...]
    rows: tuple[AcrossRow, ...]
    critical: float


def across(views: Sequence[View]) -> Across | None:
    """Compare the methods that have every seed on every one of ``views`` (one table's); None with fewer than two of
    either.
    """
    known = [_headlines(view) for view in views]
    labels = [label for label in known[0] if all(label in one for one in known)] if known else []
    if len(views) < 2 or len(labels) < 2:
        return None
    values = np.array([[one[label] for label in labels] for one in known])  # (datasets, methods, seeds)
    decided = np.array([_decided(table) for table in values])
    ranks = _ranks(values.mean(axis=2)).mean(axis=0)
    rows = [
        AcrossRow(
            label,
            float(ranks[place]),
            int((decided[:, place] > 0).sum()),
            int((decided[:, place] == 0).sum()) - len(views),  # itself
            int((decided[:, place] < 0).sum()),
            summarize(values[:, place].mean(axis=0)),
        )
        for place, label in enumerate(labels)
    ]
    rows.sort(key=lambda row: row.rank)
    names = tuple(view.dataset for view in views)
    critical = critical_difference(len(labels), len(views))
    return Across(views[0].spec.title, str(views[0].headline), names, tuple(rows), critical)


def critical_difference(methods: int, datasets: int, alpha: float = ALPHA) -> float:
    """Nemenyi's critical difference of average ranks."""
    from scipy.stats import studentized_range

    quantile = float(studentized_range.ppf(1 - alpha, methods, np.inf)) / 2**0.5
    return quantile * (methods * (methods + 1) / (6 * datasets)) ** 0.5


def _headlines(view: View) -> dict[str, tuple[float, ...]]:
    """The headline by seed of the methods that have all seeds (files are not paired by theirs)."""
    if view.headline not in view.columns:
        return {}
    column = view.columns.index(view.headline)
    cells = {row.label: row.cells[column].values for row in view.methods if not row.files}
    return {label: values for label, values in cells.items() if len(values) == len(view.spec.seeds)}


def _ranks(means: np.ndarray) -> np.ndarray:
    """(datasets, methods) ranks of the means, 1 for the best, ties sharing the average."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(-means, axis=1))


def _decided(table: np.ndarray) -> np.ndarray:
    """(methods, methods) 1 where a method is better than another beyond the noise of seeds, -1 where worse, else 0.

    Tukey's test of all pairs with the spread that the methods (methods, seeds) share.
    """
    found = np.zeros((len(table), len(table)), dtype=int)
    if table.shape[1] < 2:
        return found
    seeds = table.shape[1]
    values = [tuple(row) for row in table.tolist()]
    spread = common_spread(values, seeds)
    for a, b in combinations(range(len(values)), 2):
        if spread.apart(values[a], values[b], len(values)):
            found[a, b] = int(np.sign(np.mean(values[a]) - np.mean(values[b])))
            found[b, a] = -found[a, b]
    return found


def ranks_figure(one: Across) -> Figure:
    """Average ranks as points; each bar reaches half the critical difference, so that bars apart are different."""
    labels = [row.label for row in reversed(one.rows)]
    ranks = [round(row.rank, 3) for row in reversed(one.rows)]
    title = f"average rank over {len(one.datasets)} datasets (1 is best)"
    figure = blank(90 + 26 * len(labels), showlegend=False, xaxis_title=title)
    reach = {"type": "constant", "value": one.critical / 2, "thickness": 2, "width": 0}
    marker = {"color": COLOURS[0], "size": 10}
    figure.add_scatter(x=ranks, y=labels, mode="markers", error_x=reach, marker=marker)
    return figure
