"""Files of predictions that were scored here, as rows of the tables whose dataset and protocol are theirs."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from suite.results import given
from suite.results.ledger import Ledger

ROW = ["run", "title", "task", "dataset", "protocol", "seed", "fingerprint", "group"]
SCHEMA = pl.Schema({**dict.fromkeys(ROW, pl.String), "seed": pl.Int64})
UNLIKE = "scored on another version of the data"


def files(ledger: Ledger, runs: pl.DataFrame | None = None) -> pl.DataFrame:
    """One row per overall metric of each file that the ledger holds; ``runs`` are all of its runs, if at hand."""
    known = given.given(ledger.runs() if runs is None else runs).select(ROW)
    if known.is_empty():
        return none()
    rows = ledger.metrics(known["run"].to_list())
    chosen = rows.filter(
        (pl.col("selection") == given.SELECTION) & (pl.col("label") == "") & pl.col("value").is_finite()
    )
    return known.join(chosen.select("run", "metric", "threshold", "label", "selection", "value"), on="run")


def unlike(own: pl.DataFrame, task: str, fingerprints: Collection[str]) -> str:
    """Why a file does not compete with runs on data of these ``fingerprints``; empty where nothing speaks against it.

    A fingerprint is a task's view of the data: files of another task on the dataset, and those scored by its
    annotations alone, have none to compare.
    """
    known = own.filter((pl.col("task") == task) & (pl.col("fingerprint") != ""))["fingerprint"]
    return UNLIKE if fingerprints and any(one not in fingerprints for one in known) else ""


def none() -> pl.DataFrame:
    """No file at all."""
    more = {"metric": pl.String, "threshold": pl.Float64, "label": pl.String, "selection": pl.String}
    return pl.DataFrame(schema={**SCHEMA, **more, "value": pl.Float64})
