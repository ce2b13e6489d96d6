"""Taking over runs from another ledger, so that a board of published results needs only one's own method to run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from suite.errors import SuiteError
from suite.models.folder import adopt, kept_models
from suite.places import Places
from suite.rescore import score_again
from suite.results.ledger import Ledger
from suite.results.schema import Outcome

CHUNK = 50  # runs recorded with one append
TOLERANCE = 1e-6  # within which a score computed again must equal the recorded one
SCORED = ["split", "selection", "metric", "label", "threshold"]


@dataclass(frozen=True)
class Merged:
    """What became of another ledger's finished runs; ``refused``: run to the reason."""

    taken: tuple[str, ...]
    known: tuple[str, ...]
    refused: dict[str, str]


def merge(target: Ledger, source: Ledger, origin: str, places: Places | None = None) -> Merged:
    """Record in ``target`` the finished runs of ``source`` that it lacks, as rows whose group is ``from ORIGIN``.

    With ``places`` each run's predictions are scored again on the data there first: what does not give the recorded
    numbers is refused, and what does is marked ``verified``.
    """
    rows = source.runs().filter(pl.col("status") == "finished")
    held = target.finished()
    known = tuple(run for run in rows["run"] if run in held)
    wanted = [row for row in rows.iter_rows(named=True) if row["run"] not in held]
    refused: dict[str, str] = {}
    if places is not None:
        for row in wanted:
            problem = _wrong(source, row, places)
            if problem:
                refused[row["run"]] = problem
    taken = [row for row in wanted if row["run"] not in refused]
    group = f"from {origin}" + (", verified" if places is not None else "")
    for part in _parts(taken):
        target.record_all([_outcome(source, row, group) for row in part])
    return Merged(tuple(row["run"] for row in taken), known, refused)


def merge_models(target: Places, source: Places, runs: Collection[str]) -> tuple[list[str], dict[str, str]]:
    """Copy the kept weights of ``runs`` that ``source`` has and ``target`` lacks.

    Returns the runs whose weights were copied, and why others were not: damaged weights are left where they are.
    """
    taken, refused, held = [], {}, kept_models(target)
    for run, model in kept_models(source).items():
        if run in runs and run not in held:
            try:
                adopt(model, run, target)
                taken.append(run)
            except (OSError, SuiteError) as error:
                refused[run] = str(error).rstrip(".")
    return taken, refused


def _parts(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


def _outcome(source: Ledger, row: Mapping[str, Any], group: str) -> Outcome:
    """The run as it stands in ``source``, but for its group."""
    run = {name: value for name, value in row.items() if name not in ("attempt", "schema")}
    tables = (source.metrics, source.curves, source.all_predictions)
    metrics, curves, predictions = (read([row["run"]]).drop("run", "attempt").to_arrow() for read in tables)
    return Outcome({**run, "group": group}, metrics, curves, predictions)


def _wrong(source: Ledger, row: Mapping[str, Any], places: Places) -> str:
    """Why the run's predictions do not give its numbers; empty where they do."""
    try:
        again = score_again(source, row, places)
    except SuiteError as error:
        return str(error)
    recorded = source.metrics([row["run"]]).select(*SCORED, "value")
    found = pl.DataFrame(again, infer_schema_length=None).select(*SCORED, pl.col("value").alias("again"))
    both = recorded.join(found, on=SCORED, how="left", nulls_equal=True)
    gap = (both["value"] - both["again"].cast(pl.Float64)).abs().to_numpy()
    odd = np.flatnonzero(~(gap <= TOLERANCE) & both["value"].is_finite().to_numpy())
    if not len(odd):
        return ""
    first = both.row(int(odd[0]), named=True)
    gives = "nothing" if first["again"] is None else f"{first['again']:.4f}"
    return f"its predictions give {gives} for {first['metric']} on {first['split']}, recorded is {first['value']:.4f}"
