"""The live table of a sweep."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Group

BEST = 4


def live_table(name: str, snapshot: dict[str, Any]) -> Group:
    """Progress and time left, then a block a study with its best trials, then what is running."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from suite.sweep.standing import in_words

    running = _running(snapshot)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("study", "done", "pruned", "failed", "best", "settings"):
        table.add_column(column)
    for study in snapshot["studies"]:
        _add_study(table, study)
    shown = [Text(f"running  {in_words(values)}", style="dim") for values in running[:BEST]]
    resources = Text(_resources(snapshot), style="dim")
    return Group(Text(headline(name, snapshot)), table, *shown, resources)


def headline(name: str, snapshot: dict[str, Any]) -> str:
    """How far the sweep is, in one line."""
    studies = snapshot["studies"]
    done = sum(sum(study["counts"].values()) for study in studies)
    planned = sum(study["planned"] for study in studies)
    workers = f"{len(_running(snapshot))} running on {len(snapshot['running'])} workers"
    return f"sweep {name}: {done} of {planned:g} trials, {workers}{_time_left(done, planned, snapshot)}"


def _running(snapshot: dict[str, Any]) -> list[dict[str, Any]]:
    """The settings of all trials under way."""
    return [values for several in snapshot["running"].values() for _, values in several]


def _add_study(table: Any, study: dict[str, Any]) -> None:
    from suite.sweep.standing import in_words

    counts = [str(study["counts"][state]) for state in ("complete", "pruned", "failed")]
    best = study["best"][:BEST] or [{"objectives": [], "values": {}}]
    for place, row in enumerate(best):
        numbers = ", ".join(f"{number:.4f}" for number in row["objectives"])
        left = [study["title"], *counts] if place == 0 else ["", "", "", ""]
        table.add_row(*left, numbers, in_words(row["values"]))


def _time_left(done: int, planned: float, snapshot: dict[str, Any]) -> str:
    new, seconds = snapshot["new"], snapshot["seconds"]
    if not new or not math.isfinite(planned):
        return ""
    left = (planned - done) * seconds / new
    return f", about {left:.0f} s left" if left < 120 else f", about {left / 60:.0f} min left"


def _resources(snapshot: dict[str, Any]) -> str:
    import psutil

    memory = psutil.virtual_memory()
    return (
        f"this machine: CPU {psutil.cpu_percent():.0f} %, memory {memory.percent:.0f} %; "
        f"{snapshot['seconds']:.0f} s since the start"
    )
