"""``suite score``: score kept predictions again, without training."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from suite.cli.console import DataOption, JsonOption, OutOption, emit, say
from suite.errors import UsageError

MetricId = tuple[str, str, str, str, float | None]


def register(app: typer.Typer) -> None:
    """Add ``suite score``."""
    app.command()(score)


def score(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Run ids or their beginnings; all finished runs if none.")
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="Another protocol of the dataset's card; its numbers are only shown.")
    ] = "",
    record: Annotated[
        bool, typer.Option("--record", help="Replace the metrics in the ledger by the new ones.")
    ] = False,
    out: OutOption = "outputs",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Score the predictions in the ledger again, say with a new metric, and show what changed.

    Example: suite score --record
    """
    from suite.places import Places
    from suite.rescore import record_again, score_again
    from suite.results.ledger import Ledger

    if protocol and record:
        raise UsageError("--record keeps a run under its own protocol; leave --protocol or --record out.")
    ledger, places = Ledger.of(out), Places(out, data)
    rows: list[dict[str, Any]] = []
    for run in _chosen(ledger, runs or []):
        metrics = score_again(ledger, run, places, protocol)
        rows += _compared(run, metrics, {} if protocol else _held(ledger, run["run"]))
        if record:
            record_again(ledger, run, metrics)
    changed = [row for row in rows if row["before"] != row["value"]]
    emit(rows if json else changed, ("run", "method", "selection", "metric", "threshold", "before", "value"), json)
    if not json:
        say(f"{len(changed)} of {len(rows)} numbers differ{' and were recorded' if record else ''}.")


def _chosen(ledger: Any, prefixes: list[str]) -> list[dict[str, Any]]:
    wanted = {ledger.resolve(prefix) for prefix in prefixes}
    runs = [row for row in ledger.runs().iter_rows(named=True) if row["status"] == "finished"]
    return [row for row in runs if not wanted or row["run"] in wanted]


def _held(ledger: Any, run: str) -> dict[MetricId, float]:
    return {_key(row): row["value"] for row in ledger.metrics([run]).iter_rows(named=True)}


def _compared(run: dict[str, Any], metrics: list[dict[str, Any]], held: dict[MetricId, float]) -> list[dict[str, Any]]:
    """The test split's numbers of a run beside those the ledger held."""
    names = {"run": run["run"], "method": run["method"], "dataset": run["dataset"]}
    return [{**names, **row, "before": held.get(_key(row))} for row in metrics if row["split"] == "test"]


def _key(row: dict[str, Any]) -> MetricId:
    return row["split"], row["selection"], row["metric"], row["label"], row["threshold"]
