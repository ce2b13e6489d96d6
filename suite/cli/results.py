"""``suite results``: look into the ledger, take from it, tidy it."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suite.cli.add import add
from suite.cli.console import (
    DataOption,
    JsonOption,
    OutOption,
    RunArgument,
    SingleFileOption,
    complain,
    emit,
    emit_json,
    say,
)
from suite.cli.method import method
from suite.cli.tidying import compact, delete, ledger_of, prune, repair
from suite.errors import UsageError

if TYPE_CHECKING:
    import polars as pl


STATUSES = ("finished", "failed", "pruned")
FilterOption = Annotated[str | None, typer.Option(help="Only this one.")]

commands = typer.Typer(
    help="Look into the ledger: list, show, page, method, add, export, merge, compact, repair, delete, prune.",
    no_args_is_help=True,
)


@commands.command("list")
def list_runs(
    method: FilterOption = None,
    dataset: FilterOption = None,
    task: FilterOption = None,
    status: FilterOption = None,
    group: FilterOption = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="A condition: seed=1, score>0.5, dataset~hapt, params.lr=0.01; may be repeated."),
    ] = None,
    sort: Annotated[str, typer.Option("--sort", help="A column to sort by; -score: the best first.")] = "",
    limit: Annotated[int, typer.Option("--limit", help="The first so many; 0: all.", min=0)] = 0,
    out: OutOption = "outputs",
    json: JsonOption = False,
) -> None:
    """List the runs in the ledger, oldest first; score is the task's headline on test data, as validation chose.

    Examples: suite results list --status failed; suite results list --where dataset~hapt --sort=-score --limit 10
    """
    from suite.api import listing
    from suite.registry import canonical_name

    if status is not None and status not in STATUSES:
        raise UsageError(f"--status {status} is not known; use {', '.join(STATUSES)}.")
    wanted = {
        "method": method and canonical_name(method),
        "dataset": dataset,
        "task": task,
        "status": status,
        "group": group,
    }
    ledger = ledger_of(out)
    found = listing.where(listing.scored(ledger, ledger.runs()), where or [])
    found = listing.ordered(found, sort) if sort else found
    rows = [_public(row) for row in found.iter_rows(named=True) if _fits(row, wanted)]
    columns = ("run", "method", "dataset", "protocol", "seed", "score", "status", "seconds", "started")
    emit(rows[: limit or None], columns, json)


def _fits(row: dict[str, Any], wanted: dict[str, str | None]) -> bool:
    """Whether a run is wanted; a dataset's bare name stands for all its dials."""
    bare = {**row, "dataset": row["dataset"].partition("[")[0]}
    return all(value is None or value in (row[name], bare[name]) for name, value in wanted.items())


def _public(row: dict[str, Any]) -> dict[str, Any]:
    """A row of ``runs`` with its JSON columns parsed."""
    parsed = {name: json_module.loads(row[name] or "{}") for name in ("params", "hardware", "versions")}
    return {**row, **parsed, "started": row["started"].isoformat(timespec="seconds")}


@commands.command()
def show(run: RunArgument, out: OutOption = "outputs", json: JsonOption = False) -> None:
    """Show one run: what was asked, what came out, where it was computed.

    Example: suite results show 3f2a
    """
    import polars as pl

    from suite.results.marks import sentences

    ledger = ledger_of(out)
    name = ledger.resolve(run)
    row = _public(ledger.runs().filter(pl.col("run") == name).row(0, named=True))
    metrics = ledger.metrics([name]).drop("run", "attempt").sort("selection", "split", "metric", "label")
    if json:
        emit_json(
            {**row, "metrics": metrics.to_dicts(), "curves": ledger.curves([name]).drop("run", "attempt").to_dicts()}
        )
        return
    curves = ledger.curves([name])
    for line in _introduced(row):
        say(line)
    for sentence in sentences(curves):
        complain(sentence)
    fields = [{"": key, "value": _flat(value)} for key, value in row.items() if value not in ("", None)]
    emit(fields, ("", "value"), False)
    overall = metrics.filter((pl.col("label") == "") & (pl.col("split") == "test")).to_dicts()
    emit(overall, ("selection", "metric", "threshold", "value"), False, title="on test data")
    noted = _noted(curves)
    if noted:
        emit(noted, ("curve", "value"), False, title="noted in training, last values")


@commands.command()
def page(
    run: RunArgument,
    single_file: SingleFileOption = False,
    out: OutOption = "outputs",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Build the page of one run: command, numbers, curves, classes, settings, and examples of what it predicted.

    Example: suite results page 3f2a
    """
    from suite.cli.pages import run_page
    from suite.places import Places

    ledger = ledger_of(out)
    file = run_page(ledger, Places(out, data), ledger.resolve(run), single=single_file)
    if json:
        emit_json({"page": file})
        return
    say(f"page: {file}")


def _introduced(row: dict[str, Any]) -> list[str]:
    """The run's method, preset and changes, and which epoch its authors report; nothing for an unknown method."""
    from suite.presets import in_words, selection_note
    from suite.registry import methods

    method = methods().get(row["method"])
    if method is None:
        return []
    note = selection_note(method, row["params"])
    return [in_words(method, row["params"], row["epochs"]), *([f"{note}."] if note else [])]


def _noted(curves: pl.DataFrame) -> list[dict[str, Any]]:
    """The last value of what the method noted, but for curves of single classes (``threshold: sit``)."""
    import polars as pl

    whole = (pl.col("split") == "analysis") & ~pl.col("metric").str.contains(": ", literal=True)
    last = curves.filter(whole).group_by("metric", maintain_order=True).last()
    return last.select(pl.col("metric").alias("curve"), "value").to_dicts()


def _flat(value: Any) -> str:
    return ", ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else str(value)


@commands.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where the files go; made if need be.")],
    format: Annotated[str, typer.Option(help="csv or parquet.")] = "csv",
    predictions: Annotated[bool, typer.Option("--predictions", help="The predictions, too (large).")] = False,
    out: OutOption = "outputs",
    json: JsonOption = False,
) -> None:
    """Write runs, metrics and curves (and predictions, if asked) as plain files.

    Example: suite results export numbers --format parquet
    """
    from suite.results.export import export as write

    if format not in ("csv", "parquet"):
        raise UsageError(f"--format {format} is not known; use csv or parquet.")
    written = write(ledger_of(out), folder, format, predictions)
    emit([{"file": str(path), "rows": rows} for path, rows in written.items()], ("file", "rows"), json)


@commands.command()
def merge(
    source: Annotated[Path, typer.Argument(help="The folder of results (outputs) to take runs from.")],
    origin: Annotated[str, typer.Option(help="Whose they are, for pages; the folder's name if none.")] = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Score each run's predictions again first, and refuse what differs.")
    ] = False,
    out: OutOption = "outputs",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Take over the finished runs of another ledger that this one lacks, and the weights that were kept of them.

    Boards show them where they ask for the same runs (the same code and data); their group says where they came from.

    Example: suite results merge downloads/published-outputs --origin "the authors" --verify
    """
    from suite.merge import merge as take_over
    from suite.merge import merge_models
    from suite.places import Places
    from suite.results.ledger import Ledger
    from suite.work.kept import ready

    Places(str(source)).require_readable()
    places = Places(out, data)
    found = take_over(ready(places), Ledger.of(str(source)), origin or source.name, places if verify else None)
    weights, lost = merge_models(places, Places(str(source)), found.taken)
    if json:
        runs = {"taken": found.taken, "known": found.known, "refused": found.refused}
        emit_json({**runs, "weights": weights, "weights_refused": lost})
    else:
        said = f"{len(found.taken)} runs taken over" + (f", {len(weights)} with their weights" if weights else "")
        say(f"{said}, {len(found.known)} were here already, {len(found.refused)} refused.")
        for run, why in lost.items():
            complain(f"the weights of run {run} were not taken: {why}")
        for run, why in found.refused.items():
            complain(f"run {run} was refused: {why}")
    if found.refused:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add ``suite results``."""
    for one in (add, method, compact, repair, delete, prune):
        commands.command()(one)
    app.add_typer(commands, name="results")
