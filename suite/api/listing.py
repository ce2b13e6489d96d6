"""Runs with their scores, chosen, sorted and cut."""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl

from suite.errors import UsageError, did_you_mean
from suite.report.index import headlines
from suite.results.ledger import Ledger

CONDITION = re.compile(r"\s*([\w.]+)\s*(<=|>=|!=|=|<|>|~)\s*(.*?)\s*")


def scored(ledger: Ledger, runs: pl.DataFrame) -> pl.DataFrame:
    """``runs`` with a ``score``: the headline of their task on test data, the epoch chosen on validation data.

    Null where there is none.
    """
    found = headlines(ledger, runs).rename({"value": "score"})
    return runs.join(found, on="run", how="left", maintain_order="left")


def where(rows: pl.DataFrame, conditions: Iterable[str]) -> pl.DataFrame:
    """The rows that meet every condition: ``seed=1``, ``score>0.5``, ``dataset~hapt`` (contains), ``params.lr=0.01``.

    Raises :class:`UsageError` for a condition of another form, or on a column that is not there.
    """
    for text in conditions:
        found = CONDITION.fullmatch(text)
        if found is None:
            raise UsageError(
                f"--where '{text}' is no condition; write seed=1, score>0.5, dataset~hapt or params.lr=0.01."
            )
        rows = rows.filter(_holds(_column(rows, found[1]), found[2], found[3]))
    return rows


def ordered(rows: pl.DataFrame, by: str) -> pl.DataFrame:
    """The rows by a column, ``-column`` from its largest value down; those without a value come last."""
    name = by.removeprefix("-")
    return rows.sort(_column(rows, name), descending=by.startswith("-"), nulls_last=True, maintain_order=True)


def _column(rows: pl.DataFrame, name: str) -> pl.Expr:
    if name.startswith("params."):
        return pl.col("params").str.json_path_match(f"$.{name.removeprefix('params.')}")
    if name not in rows.columns:
        raise UsageError(f"runs have no column '{name}'{did_you_mean(name, rows.columns)}")
    return pl.col(name)


def _holds(column: pl.Expr, sign: str, value: str) -> pl.Expr:
    """Compared as numbers where the value is one, else as text; ``~`` asks whether it is contained."""
    text = column.cast(pl.String)
    if sign == "~":
        return text.str.contains(value, literal=True)
    try:
        number = float(value)
    except ValueError:
        left: pl.Expr = text
        right: pl.Expr = pl.lit(value)
    else:
        left, right = text.cast(pl.Float64, strict=False), pl.lit(number)
    compared = {"=": left == right, "!=": left != right, "<": left < right, ">": left > right}
    compared |= {"<=": left <= right, ">=": left >= right}
    return compared[sign]
