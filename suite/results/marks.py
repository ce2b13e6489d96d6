"""What a run logged that makes its numbers something else than a result of its method.

Methods log these as analyses of 0 and 1, which become curves of the run; nothing else is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

COLLAPSED, UNLABELLED = "collapsed", "no pseudo-labels"

MEANINGS: Mapping[str, str] = {
    COLLAPSED: "at the end the snippets that were selected are no purer than random ones, or actionness ranks action "
    "below background: its training collapsed",
    UNLABELLED: "no pseudo-label was ever made: nothing was learned from what is unlabelled",
}

SCHEMA = pl.Schema({"run": pl.String, "mark": pl.String})


def logged(curves: pl.DataFrame) -> pl.DataFrame:
    """Which marks the runs of ``curves`` could earn, because they log what decides it: a row per run and mark."""
    watched = curves.filter((pl.col("split") == "analysis") & pl.col("metric").is_in(list(MEANINGS)))
    return watched.select("run", pl.col("metric").alias("mark")).unique().sort("run", "mark").cast(SCHEMA)


def marks(curves: pl.DataFrame) -> pl.DataFrame:
    """The marks that ``curves`` earn (the ledger's rows, each run's in the order recorded), a row per run and mark."""
    logged = curves.filter((pl.col("split") == "analysis") & pl.col("metric").is_in(list(MEANINGS)))
    # A collapse may heal: the last point counts. A single pseudo-label taught something: every point counts.
    groups = logged.group_by("run", "metric", maintain_order=True)
    found = groups.agg(pl.col("value").last().alias("last"), pl.col("value").min().alias("least"))
    earned = pl.when(pl.col("metric") == COLLAPSED).then(pl.col("last")).otherwise(pl.col("least")) > 0
    return found.filter(earned).select("run", pl.col("metric").alias("mark")).sort("run", "mark").cast(SCHEMA)


def sentences(curves: pl.DataFrame) -> list[str]:
    """The marks of a single run's ``curves`` as sentences for its reader."""
    return [f"{mark}: {MEANINGS[mark]}." for mark in marks(curves)["mark"]]
