"""What the seeds of a table allow to say, in one sentence, and its ranking with ties."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from suite.report.tables import number
from suite.report.views import Cell, Row, View

NOTHING_YET = "Nothing is known yet."
NAMED = 3  # rows named in a sentence; more are counted


def sentence(view: View) -> str:
    """One sentence on the headline that the tests over seeds support, and never more than that."""
    unfinished = any(row.finished < row.asked for row in view.methods)
    said = _said(view)
    return f"{said.removesuffix('.')}, of the runs that have finished." if unfinished and said != NOTHING_YET else said


def _said(view: View) -> str:
    column = _column(view)
    ranked = _ranked(view, column)
    if not ranked:
        ended = any(row.finished for row in view.rows)
        return f"None of these runs measures {view.headline}: see the columns." if ended else NOTHING_YET
    best = ranked[0]
    said = f"{best.label} has the highest {view.headline}, {number(best.cells[column].summary.mean)} %"
    if len(ranked) < 2:
        alone = "no other method has a number" if len(view.methods) > 1 else "there is no other method"
        return f"{said}; {alone}."
    if not any(row.cells[column].best for row in ranked):
        return f"{said}; a single seed cannot tell it from the others."
    seeds = "the others' spread over seeds" if best.files else f"{best.finished} seeds"
    near = [row.label for row in ranked[1:] if row.cells[column].near]
    if not near:
        others = "the other one" if len(ranked) == 2 else f"each of the {len(ranked) - 1} others"
        return f"{said}: {seeds} {'distinguishes' if best.files else 'distinguish'} it from {others}."
    if len(near) == len(ranked) - 1:
        return f"{said}, but {seeds} cannot distinguish any of the {len(ranked)} methods from it."
    return f"{said}; {seeds} cannot distinguish {listed(near)} from it."


def listed(labels: Sequence[str]) -> str:
    """``A``, ``A and B``, ``A, B, C and 2 more``."""
    rest = len(labels) - NAMED
    shown = [*labels[:NAMED], f"{rest} more"] if rest > 0 else list(labels)
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def ranking(view: View) -> list[tuple[str, tuple[str, ...]]]:
    """Ranks with the methods that hold them: those not distinguishable from the best share theirs: ``("1-3", ...)``."""
    column = _column(view)
    groups = [list(rows) for _, rows in groupby(_ranked(view, column), key=lambda row: _group(row.cells[column], row))]
    places, first = [], 1
    for rows in groups:
        last = first + len(rows) - 1
        places.append((f"{first}" if first == last else f"{first}–{last}", tuple(row.label for row in rows)))
        first = last + 1
    return places


def _group(cell: Cell, row: Row) -> str:
    return "" if cell.best or cell.near else row.label


def _ranked(view: View, column: int) -> list[Row]:
    """Methods with a value: the best first, then those that share its rank, then the rest by mean."""
    rows = [row for row in view.methods if row.cells[column].values]
    tied = {row.label: row.cells[column].best or row.cells[column].near for row in rows}
    return sorted(rows, key=lambda row: (not tied[row.label], -row.cells[column].summary.mean))


def _column(view: View) -> int:
    return view.columns.index(view.headline) if view.headline in view.columns else 0
