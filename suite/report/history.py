"""A board over commits: how the number of each row moved, where older code or data answered the same request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl

from suite.data import find_card
from suite.report.figures import COLOURS, DASHES, blank
from suite.report.numbers import headlines
from suite.report.versions import Version, versions
from suite.results.ledger import Ledger
from suite.spec.board import BoardRun

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Place: TypeAlias = tuple[int, str]  # a table of the board, and a dataset of it
Request: TypeAlias = tuple[str, str, str, str, int | None]


@dataclass(frozen=True)
class Moved:
    """A row of a table whose request several versions of code or data answered, the oldest first."""

    label: str
    versions: tuple[Version, ...]


def history(shown: Iterable[BoardRun], runs: pl.DataFrame, ledger: Ledger) -> dict[Place, tuple[Moved, ...]]:
    """The rows of each table that have a past; ``shown`` are the runs in the tables, ``runs`` all of the ledger's."""
    shown = list(shown)
    now, methods = {one.run for one in shown}, {one.spec.method for one in shown}
    others = runs.filter(pl.col("method").is_in(sorted(methods)) & ~pl.col("run").is_in(sorted(now)))
    if others.is_empty():
        return {}
    answers = _answers(runs.filter(pl.col("method").is_in(sorted(methods))), _seeds(shown))
    older = {key for key, found in answers.items() if not {row["run"] for row in found} <= now}
    if not older:
        return {}
    scored = _scored([row for key in older for row in answers[key]], runs.schema, ledger)
    found: dict[Place, list[Moved]] = {}
    for (table, dataset, label), keys in _rows(shown).items():
        names = [row["run"] for key in keys & older for row in answers[key]]
        past = versions(scored.filter(pl.col("run").is_in(names))) if names else ()
        if sum(bool(one.values) for one in past) > 1:
            found.setdefault((table, dataset), []).append(Moved(label, past))
    return {place: tuple(moved) for place, moved in found.items()}


def answered(asked: Iterable[BoardRun], runs: pl.DataFrame) -> list[BoardRun]:
    """``asked`` with the finished run of the ledger's ``runs`` (the oldest first) that answers each request.

    That is the run asked for, or else the newest that older code or data made of the same request; where there is
    none, what was asked stays as it is.
    """
    asked, finished = list(asked), runs.filter(pl.col("status") == "finished")
    found = _answers(finished, _seeds(asked))
    newest = {(key, row["seed"]): row["run"] for key, rows in found.items() for row in rows}
    there, request = set(finished["run"]), _requests()
    return [
        one if one.run in there else replace(one, run=newest.get((request(one), one.spec.seed), one.run))
        for one in asked
    ]


def _requests() -> Callable[[BoardRun], Request]:
    """What makes runs answers to the same request; cards are read once each."""
    named = cache(lambda dataset, dials: find_card(dataset).label(dict(dials)))

    def request(one: BoardRun) -> Request:
        spec = one.spec
        dataset = named(spec.dataset, tuple(spec.dials.items()))
        return spec.method, dataset, spec.protocol, _text(spec.params), spec.epochs

    return request


def _rows(shown: Iterable[BoardRun]) -> dict[tuple[int, str, str], set[Request]]:
    """The requests of each row of the board, by table, dataset and label."""
    rows: dict[tuple[int, str, str], set[Request]] = {}
    request = _requests()
    for one in shown:
        rows.setdefault((one.table, one.dataset, one.row), set()).add(request(one))
    return rows


def _seeds(shown: Iterable[BoardRun]) -> dict[Request, set[int]]:
    """The seeds of each request."""
    seeds: dict[Request, set[int]] = {}
    request = _requests()
    for one in shown:
        seeds.setdefault(request(one), set()).add(one.spec.seed)
    return seeds


def _text(params: Mapping[str, Any]) -> str:
    return json.dumps(params, sort_keys=True, default=str)


def _answers(runs: pl.DataFrame, seeds: Mapping[Request, set[int]]) -> dict[Request, list[dict[str, Any]]]:
    """The ledger's runs of each request, of the seeds that the board asks for."""
    near = runs.filter(pl.col("dataset").is_in(sorted({dataset for _, dataset, *_ in seeds})))
    found: dict[Request, list[dict[str, Any]]] = {}
    for row in near.iter_rows(named=True):
        params = _text(json.loads(row["params"] or "{}"))
        key = (row["method"], row["dataset"], row["protocol"], params, row["epochs"])
        if row["seed"] in seeds.get(key, ()):
            found.setdefault(key, []).append(row)
    return found


def _scored(rows: Sequence[Mapping[str, Any]], schema: pl.Schema, ledger: Ledger) -> pl.DataFrame:
    """The runs with their headline as ``value``, the oldest first."""
    frame = pl.DataFrame(rows, schema=schema)
    joined = frame.join(headlines(ledger, frame), on="run", how="left", maintain_order="left")
    return joined.sort("started", "run")


def figure(moved: Sequence[Moved], headline: str) -> Figure:
    """The mean of each row by version, in the order of time."""
    drawn = blank(320, yaxis_title=f"{headline}, %", legend={"orientation": "h", "y": -0.3})
    known = [(one.label, [version for version in one.versions if version.values]) for one in moved]
    order = sorted({(version.started, version.name) for _, some in known for version in some})
    for place, (label, some) in enumerate(known):
        line = {"color": COLOURS[place % len(COLOURS)], "dash": DASHES[place // len(COLOURS) % len(DASHES)]}
        means = [round(100 * version.summary.mean, 3) for version in some]
        spread = [round(100 * version.summary.deviation, 3) if len(version.values) > 1 else 0.0 for version in some]
        drawn.add_scatter(
            x=[version.name for version in some],
            y=means,
            name=label,
            mode="lines+markers",
            line=line,
            error_y={"type": "data", "array": spread, "thickness": 1, "width": 3},
        )
    names = list(dict.fromkeys(name for _, name in order))
    drawn.update_xaxes(type="category", categoryorder="array", categoryarray=names)
    return drawn
