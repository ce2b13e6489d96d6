"""Printed numbers beside ours, and what may be said of the difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from suite.evaluate.significance import summarize
from suite.report.matching import Cells, differences, wanted
from suite.report.numbers import HONEST, pick
from suite.report.published import Published
from suite.report.views import View
from suite.spec.board import BoardRun, Shortened
from suite.spec.card import GENERATED

LEVEL = 0.95
ROUNDING = 0.05  # papers print one decimal
OTHER = "different protocol: "
ORIGINS = {"real": "", "planted": "generated data", GENERATED: "generated features (a rehearsal)"}


@dataclass(frozen=True)
class Comparison:
    """A printed cell and ours: percent, points, and a verdict in words; ``difference`` is ours minus theirs.

    ``difference`` is None where the two may not be compared: the verdict then says why.
    """

    printed: Published
    label: str
    ours: float | None
    deviation: float | None
    difference: float | None
    verdict: str


def compare(
    view: View,
    found: pl.DataFrame,
    printed: Sequence[Published],
    asked: Sequence[BoardRun],
    short: Shortened | None = None,
) -> list[Comparison]:
    """Every printed cell beside which a row of ``view`` may stand, with ours and a verdict.

    ``found`` are the values of the view's runs, ``asked`` the runs that its board asks for, ``short`` how it shortens
    them.
    """
    cells, compared = Cells(printed), []
    for row in view.rows:
        own = found.filter((pl.col("row") == row.label) & (pl.col("label") == ""))
        one = _run_of(row.label, own, [run for run in asked if (run.table, run.dataset) == (view.index, view.dataset)])
        if one is None:
            continue
        beside = [cell for cell in cells.beside(one.meant) if cell.value is not None]
        unlike = [ORIGINS[view.kind]] if ORIGINS[view.kind] else []
        unlike += [short.words] if short and one.whole else []
        compared += [_compare(row.label, own, cell, one, unlike) for cell in beside]
    return compared


def _run_of(label: str, own: pl.DataFrame, asked: Sequence[BoardRun]) -> BoardRun | None:
    """A run of the row: one that it shows, where it shows any (a row may choose among several settings)."""
    mine, shown = [run for run in asked if run.row == label], set(own["run"].to_list())
    return next((run for run in mine if run.run in shown), mine[0] if mine else None)


def _compare(label: str, own: pl.DataFrame, cell: Published, one: BoardRun, unlike: list[str]) -> Comparison:
    unlike = unlike + differences(cell, one.meant)
    # The same setting is compared at the epoch that its authors report; anything else shows our honest number.
    selection = HONEST if unlike else wanted(cell)[0].selection
    values = [100 * value for value in pick(own, cell.key, selection)]
    return comparison(cell, label, values, unlike, "not run" if own.is_empty() else "not measured by these runs")


def comparison(
    cell: Published, label: str, values: Sequence[float], unlike: Sequence[str], otherwise: str
) -> Comparison:
    """``cell`` beside our ``values`` (percent, one per seed); ``otherwise``: the verdict where there are none.

    ``unlike`` says what tells our runs from the printed one: a difference is then neither taken nor judged.
    """
    if not values:
        return Comparison(cell, label, None, None, None, otherwise)
    summary = summarize(values)
    spread = summary.deviation if math.isfinite(summary.deviation) else None
    if unlike:
        return Comparison(cell, label, summary.mean, spread, None, OTHER + "; ".join(unlike))
    if cell.value is None:
        return Comparison(cell, label, summary.mean, spread, None, "no printed value")
    said = verdict(values, cell.value)
    return Comparison(cell, label, summary.mean, spread, summary.mean - cell.value, said)


def verdict(ours: Sequence[float], theirs: float, level: float = LEVEL) -> str:
    """``within interval``, or ``above`` or ``below`` ours minus theirs, with the interval of that difference.

    The printed number is taken as one run with our spread: it lies in the t prediction interval mean ± t·s·√(1 + 1/n)
    where one more of our seeds would fall, or it does not. A single seed says nothing of noise.
    """
    from scipy.stats import t

    summary = summarize(ours)
    if summary.count < 2:
        return "one seed: no interval"
    reach = float(t.ppf(0.5 + level / 2, summary.count - 1)) * summary.deviation * (1 + 1 / summary.count) ** 0.5
    reach, apart = max(reach, ROUNDING), summary.mean - theirs
    if abs(apart) <= reach:
        return f"within interval [{summary.mean - reach:.1f}, {summary.mean + reach:.1f}]"
    low, high = sorted((abs(apart) - reach, abs(apart) + reach))
    return f"{'above' if apart > 0 else 'below'} by {abs(apart):.1f} [{low:.1f}, {high:.1f}]"
