"""Scoring kept predictions again, without training: after a new metric, or under another protocol of the dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suite.data import load
from suite.errors import DataError
from suite.places import Places
from suite.results.given import is_given
from suite.results.ledger import Ledger
from suite.results.schema import Outcome
from suite.tasks import task
from suite.train.selection import EVALUATED, SELECTIONS
from suite.work.record import metric_rows, people_rows


def score_again(ledger: Ledger, run: Mapping[str, Any], places: Places, protocol: str = "") -> list[dict[str, Any]]:
    """The metrics of a recorded run (a row of ``runs``) from its predictions, as rows of ``metrics``.

    Raises :class:`DataError` when the dataset is no longer what the run was trained and evaluated on.
    """
    if is_given(run["method"]):
        raise DataError(f"run {run['run'][:8]} is a file scored here, which is not kept; add it again.")
    data: Any = load(
        run["dataset"],
        run["task"],
        places.root,
        places.cache,
        protocol=protocol or run["protocol"],
        seed=run["seed"],
    )
    if not protocol and data.fingerprint != run["fingerprint"]:
        raise DataError(f"{run['dataset']} is not what run {run['run']} saw; train it again.")
    judge = task(run["task"])
    found: list[dict[str, Any]] = []
    for selection in SELECTIONS:
        tables = {split: ledger.predictions(run["run"], split, selection).to_arrow() for split in EVALUATED}
        kept = {split: judge.from_rows(table, data.split(split)) for split, table in tables.items()}
        for split, predictions in judge.calibrated(kept, data).items():
            found += metric_rows(judge.evaluate(predictions, data.split(split), data), split, selection)
    return found + people_rows(data)


def record_again(ledger: Ledger, run: Mapping[str, Any], metrics: list[dict[str, Any]]) -> None:
    """Record the run with new ``metrics``: same curves and predictions, in an attempt that supersedes the old."""
    kept = {name: value for name, value in run.items() if name not in ("attempt", "schema")}
    curves, predictions = (
        rows([run["run"]]).drop("run", "attempt").to_arrow() for rows in (ledger.curves, ledger.all_predictions)
    )
    ledger.record(Outcome(run=kept, metrics=metrics, curves=curves, predictions=predictions))
