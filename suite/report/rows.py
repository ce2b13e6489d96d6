"""What a page knows of each row of a table beyond its cells: all seeds under all selections, its runs, its changes.

The page's script reads it as JSON to sort, filter, change the selection of epochs and open a row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

import polars as pl

from suite.method import Selection
from suite.presets import changes, preset_of, value_text
from suite.registry import method as find_method
from suite.report.links import UNKNOWN, Links, links
from suite.report.numbers import HONEST, Numbers
from suite.report.tables import group
from suite.report.views import Row, View
from suite.spec.board import BoardRun

YEAR = re.compile(r"\b(?:19|20)\d\d\b")
SELECTIONS: tuple[str, ...] = get_args(Selection)


@dataclass(frozen=True)
class RowRun:
    """One seed of a row: its run, what became of it, its page where there is one, and whose it is if not ours."""

    seed: int
    run: str
    status: str
    seconds: float | None
    marks: tuple[str, ...]
    page: str
    origin: str


@dataclass(frozen=True)
class RowFacts:
    """One row of a table.

    ``values``: selection to one list per column of the table, each with one number per finished seed (by seed).
    ``changed``: parameters that differ from the ``preset``, as text. ``page``: where the method's page is, if any.
    ``given``: what stands in place of the selection of epochs, for rows that have none. ``links``: to paper and code.
    ``kind``: the group of rows that it stands in.
    """

    label: str
    method: str
    title: str
    paper: str
    year: str
    ceiling: bool
    preset: str
    changed: dict[str, str]
    values: dict[str, tuple[tuple[float, ...], ...]]
    runs: tuple[RowRun, ...]
    page: str = ""
    given: str = ""
    links: Links = UNKNOWN
    kind: str = ""


def row_facts(
    view: View, asked: Sequence[BoardRun], frame: pl.DataFrame, found: pl.DataFrame, pages: Mapping[str, str]
) -> tuple[RowFacts, ...]:
    """The facts of each of the view's rows, in its order.

    ``frame`` and ``found`` are the aggregated frames of the view's table and dataset; ``pages`` leads from a run's id
    or a method's name to the address of its page.
    """
    shown = set(frame["run"])  # of a row's trials, the chosen one
    firsts: dict[str, BoardRun] = {}
    for one in asked:
        if one.table == view.index and one.dataset == view.dataset and (one.run in shown or not one.run):
            firsts.setdefault(one.row, one)
    numbers = found.filter(pl.col("label") == "").partition_by("row", as_dict=True)
    runs = frame.partition_by("row", as_dict=True, maintain_order=True)
    facts = (
        _plain(row, pages)
        if row.people or row.files
        else _facts(
            view, firsts[row.label], row.ceiling, runs[row.label,], numbers.get((row.label,), found.clear()), pages
        )
        for row in view.rows
    )
    return tuple(replace(one, kind=group(row)) for one, row in zip(facts, view.rows, strict=True))


def _plain(row: Row, pages: Mapping[str, str]) -> RowFacts:
    """A row of annotators or files, who have neither settings nor epochs."""
    values = {s: tuple(_shares(cell.values) if s == HONEST else () for cell in row.cells) for s in SELECTIONS}
    runs = tuple(RowRun(seed, run, "scored", None, (), pages.get(run, ""), "") for seed, run in row.files)
    title = "Predictions made elsewhere, scored here; how their epoch was chosen is not known" if runs else row.label
    return RowFacts(row.label, "", title, "", "", False, "", {}, values, runs, given="as given" if runs else "people")


def _facts(
    view: View, one: BoardRun, ceiling: bool, runs: pl.DataFrame, numbers: pl.DataFrame, pages: Mapping[str, str]
) -> RowFacts:
    """``runs`` and ``numbers`` are those of the row alone."""
    chosen, params = find_method(one.spec.method), one.spec.params
    year = YEAR.search(chosen.paper)
    own = Numbers(numbers)
    return RowFacts(
        label=one.row,
        method=chosen.name,
        title=chosen.title,
        paper=chosen.paper,
        year=year.group() if year else "",
        ceiling=ceiling,
        preset=preset_of(chosen, params),
        changed={name: value_text(value) for name, value in changes(chosen, params).items()},
        values={s: tuple(_shares(own.pick(key, s)) for key in view.columns) for s in SELECTIONS},
        runs=tuple(_run(line, pages) for line in runs.iter_rows(named=True)),
        page=pages.get(chosen.name, ""),
        links=links(chosen),
    )


def _shares(values: tuple[float, ...]) -> tuple[float, ...]:
    """As many digits as a page shows and one more."""
    return tuple(round(value, 4) for value in values)


def _run(line: Mapping[str, Any], pages: Mapping[str, str]) -> RowRun:
    run = line["run"] or ""
    seconds = None if line["seconds"] is None else round(line["seconds"], 1)
    status = line["status"] or ("blocked" if line["blocked"] else "not run yet")
    group = line["group"] or ""
    origin = group if group.startswith("from ") else ""  # runs taken over from another ledger say so
    return RowRun(line["seed"], run, status, seconds, tuple(line["marks"]), pages.get(run, ""), origin)


def run_pages(runs: Iterable[str], folder: Path, prefix: str) -> dict[str, str]:
    """Run (or method) to the address of its page, for those of ``runs`` that have one in ``folder``."""
    there = {path.stem for path in folder.glob("*.html")} if folder.is_dir() else set()
    return {run: f"{prefix}{run}.html" for run in runs if run in there}


def to_json(view: View, rows: Sequence[RowFacts]) -> str:
    """The facts as the page's script reads them."""
    facts = {
        "name": view.name,
        "headline": str(view.headline),
        "metrics": [str(key) for key in view.columns],
        "rows": [asdict(row) for row in rows],
    }
    return script_json(facts)


def script_json(value: Any) -> str:
    """``value`` as JSON for a script element: ``<`` and its like are escaped, so that no text can end the element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")
