"""The ledger's long tables joined with what a board lists, and summarized over seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from typing import Any

import polars as pl

from suite.data import find_card
from suite.evaluate.significance import t_reach
from suite.presets import reported_selection
from suite.registry import method
from suite.results import marks
from suite.spec.board import BoardRun
from suite.tasks import task
from suite.tasks.annotators import SELECTION

CELL = ["table", "dataset", "row"]
KEY = ["metric", "threshold", "label", "selection"]
SUMMARY = {"mean": pl.Float64, "deviation": pl.Float64, "low": pl.Float64, "high": pl.Float64, "count": pl.Int64}
_SCHEMA = {
    "table": pl.Int64,
    "dataset": pl.String,
    "row": pl.String,
    "trial": pl.Int64,
    "run": pl.String,
    "seed": pl.Int64,
    "method": pl.String,
    "task": pl.String,
    "chosen_by": pl.String,
    "blocked": pl.String,
    "ceiling": pl.Boolean,
    "kind": pl.String,
    "reported": pl.String,
}


def asked_frame(asked: Iterable[BoardRun], runs: pl.DataFrame, curves: pl.DataFrame | None = None) -> pl.DataFrame:
    """One row per run asked for: ``status`` ("" when it is not in the ledger), ``error`` and the list ``marks``.

    ``curves`` are those of the runs, from which marks come (none by default); ``watched`` lists the marks that a run
    could earn (:mod:`suite.results.marks`).
    """
    rows = _asked_rows(asked)
    known = runs.select("run", "status", "error", "started", "seconds", "group", "fingerprint", "memory")
    frame = pl.DataFrame(rows, schema=_SCHEMA).join(known, on="run", how="left", maintain_order="left")
    for column, found in (("marks", marks.marks), ("watched", marks.logged)):
        rows_of = pl.DataFrame(schema=marks.SCHEMA) if curves is None else found(curves)
        listed = rows_of.group_by("run", maintain_order=True).agg(pl.col("mark").alias(column))
        frame = frame.join(listed, on="run", how="left", maintain_order="left")
    return frame.with_columns(pl.col("status", "error").fill_null(""), pl.col("marks", "watched").fill_null([]))


def _asked_rows(asked: Iterable[BoardRun]) -> list[dict[str, Any]]:
    """The runs asked for by the columns of the schema; what method and dataset say of them is looked up once each."""
    found, kinds = cache(method), cache(lambda name, dials: find_card(name).kind_of(dict(dials)))
    return [
        {
            "table": one.table,
            "dataset": one.dataset,
            "row": one.row,
            "trial": one.trial,
            "run": one.run,
            "seed": one.spec.seed,
            "method": one.spec.method,
            "task": found(one.spec.method).task,
            "chosen_by": task(found(one.spec.method).task).chosen_by,
            "blocked": one.blocked,
            "ceiling": found(one.spec.method).oracle,
            "kind": kinds(one.spec.dataset, tuple(one.spec.dials.items())),
            "reported": reported_selection(found(one.spec.method), one.spec.params),
        }
        for one in asked
    ]


def values(asked: pl.DataFrame, metrics: pl.DataFrame, split: str = "test") -> pl.DataFrame:
    """One row per finished run, metric and selection on ``split``; values that are not defined (NaN) are left out.

    Numbers of annotators (:func:`people`) are among them, as selections of their own.
    """
    finished = asked.filter(pl.col("status") == "finished").select(*CELL, "trial", "run", "seed", "method", "ceiling")
    wanted = metrics.filter((pl.col("split") == split) & pl.col("value").is_finite())
    return finished.join(wanted.drop("attempt", "split"), on="run", maintain_order="left")


def people(found: pl.DataFrame) -> pl.DataFrame:
    """Those of the ``values`` that are numbers of annotators: one row per dataset, annotator ``person`` and metric.

    Every run on a dataset records the same of them, unless its data change with the seed: then these are means.
    """
    rows = found.filter(pl.col("selection").str.starts_with(SELECTION))
    person = pl.col("selection").str.strip_prefix(SELECTION).alias("person")
    groups = rows.group_by("table", "dataset", person, "metric", "threshold", maintain_order=True)
    return groups.agg(pl.col("value").mean())


def summaries(found: pl.DataFrame) -> pl.DataFrame:
    """Mean, standard deviation (n - 1) and 95 % t interval over seeds, one row per cell, metric and selection."""
    value = pl.col("value")
    groups = found.group_by([*CELL, *KEY], maintain_order=True).agg(
        value.mean().alias("mean"), value.std(ddof=1).fill_null(math.nan).alias("deviation"), value.len().alias("count")
    )
    half = {count: t_reach(count) for count in (0, *groups["count"].unique().to_list())}
    reach = pl.col("deviation") * pl.col("count").replace_strict(half, return_dtype=pl.Float64)
    ends = ((pl.col("mean") - reach).alias("low"), (pl.col("mean") + reach).alias("high"))
    return groups.with_columns(ends).select(*CELL, *KEY, *(pl.col(name).cast(kind) for name, kind in SUMMARY.items()))


def curves(asked: pl.DataFrame, points: pl.DataFrame) -> pl.DataFrame:
    """Learning curves over the steps of all phases, one row per cell, split, metric and step.

    ``mean``, ``least`` and ``greatest`` value over the ``seeds`` that have this point, and the ``phase`` it belongs to.
    """
    owners = asked.filter(pl.col("status") == "finished").select(*CELL, "run")
    defined = cumulative(points).filter(pl.col("value").is_finite())
    # One run may stand in several tables; its curve is drawn in each.
    joined = owners.join(defined, on="run", maintain_order="left_right")
    value, key = pl.col("value"), [*CELL, "split", "metric", "step"]
    grouped = joined.group_by([*key, "phase"], maintain_order=True)
    spans = (value.mean().alias("mean"), value.min().alias("least"), value.max().alias("greatest"))
    return grouped.agg(*spans, value.len().alias("seeds")).sort(key, maintain_order=True)


def cumulative(points: pl.DataFrame) -> pl.DataFrame:
    """``points`` of runs, in the order recorded, with ``step`` counted on through a run's phases.

    A phase records its own steps from zero, so that points of different phases would fall together. Phases may share a
    name (turns of an alternation): a step that goes back begins a new one, too.
    """
    phase, step = pl.col("phase"), pl.col("step")
    begins = ((phase != phase.shift()) | (step < step.shift())).fill_null(False)
    placed = points.with_columns(begins.cum_sum().over("run").alias("turn"))
    lengths = placed.group_by("run", "turn", maintain_order=True).agg(step.max().alias("length"))
    before = (pl.col("length").cum_sum() - pl.col("length")).over("run").alias("before")
    starts = lengths.select("run", "turn", before)
    joined = placed.join(starts, on=["run", "turn"], how="left", maintain_order="left")
    return joined.with_columns(pl.col("step") + pl.col("before")).drop("before", "turn")
