"""The studies of a sweep in its live table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

BEST = 4


def studies_table(snapshot: dict[str, Any]) -> Table:
    """A block per study with its counts and best trials."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("study", "done", "pruned", "failed", "best", "settings"):
        table.add_column(column)
    for study in snapshot["studies"]:
        _add_study(table, study)
    return table


def _add_study(table: Table, study: dict[str, Any]) -> None:
    from suite.sweep.standing import in_words

    counts = [str(study["counts"][state]) for state in ("complete", "pruned", "failed")]
    best = study["best"][:BEST] or [{"objectives": [], "values": {}}]
    for place, row in enumerate(best):
        numbers = ", ".join(f"{number:.4f}" for number in row["objectives"])
        left = [study["title"], *counts] if place == 0 else ["", "", "", ""]
        table.add_row(*left, numbers, in_words(row["values"]))
