"""``suite analyse``: where the detections of recorded runs go wrong, and what pseudo-labels were worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suite.cli.console import DataOption, JsonOption, OutOption, RunArgument, emit, say

if TYPE_CHECKING:
    from suite.analyse.subject import Subject

SHOWN = 8  # evaluations in a table
BY_CLASS = ": "  # in the name of an analysis of one class

commands = typer.Typer(help="Analyse recorded runs: errors, detad, pseudo, timeline.", no_args_is_help=True)

RunsArgument = Annotated[list[str], typer.Argument(help="Runs of one method, one per seed.")]
SelectionOption = Annotated[str, typer.Option(help="Which epoch counts: validation, last or oracle.")]
MultipleOption = Annotated[float, typer.Option(help="Detections kept of a class, for each of its annotated instances.")]


def register(app: typer.Typer) -> None:
    """Add ``suite analyse``."""
    app.add_typer(commands, name="analyse")


@commands.command()
def errors(
    runs: RunsArgument,
    against: Annotated[list[str], typer.Option(help="Runs to compare with; may be repeated.")],
    multiple: MultipleOption = 1.0,
    selection: SelectionOption = "validation",
    out: OutOption = "outputs",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Context and actionness errors against another method, with 95 % intervals over videos.

    Example: suite analyse errors 3f2a --against 91bc
    """
    from suite.analyse.snippet_errors import compare_errors

    ours, theirs = (_subjects(group, out, data, selection) for group in (runs, against))
    rows = [asdict(change) for change in compare_errors(ours, theirs, multiple)]
    emit(rows, ("kind", "ours", "theirs", "change", "low", "high"), json)


@commands.command()
def detad(
    run: RunArgument,
    tiou: Annotated[float, typer.Option(help="Overlap that a detection needs.", min=0.0, max=1.0)] = 0.5,
    selection: SelectionOption = "validation",
    out: OutOption = "outputs",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """What false positives are and cost, and which instances are missed (DETAD).

    Example: suite analyse detad 3f2a
    """
    from suite.analyse.detad import false_negatives, false_positives

    (one,) = _subjects([run], out, data, selection)
    wrong, lost = false_positives(one, tiou), false_negatives(one, tiou)
    if json:
        emit([{"false_positives": wrong, "false_negatives": lost}], (), True)
        return
    emit(wrong, ("type", "1G", "2G", "5G", "10G", "gain"), False, "false positives, percent of the best n·G detections")
    emit(lost, ("characteristic", "bin", "instances", "missed"), False, "missed instances, percent")


@commands.command()
def pseudo(run: RunArgument, out: OutOption = "outputs", json: JsonOption = False) -> None:
    """What a run's pseudo-labels were worth, by epoch: purity, stability, accuracy beside the majority rate.

    Example: suite analyse pseudo 3f2a
    """
    import polars as pl

    from suite.results.ledger import Ledger

    ledger = Ledger.of(out)
    curves = ledger.curves([ledger.resolve(run)]).filter(pl.col("split") == "analysis")
    epochs: dict[tuple[Any, ...], dict[str, Any]] = {}
    for point in curves.sort("step", maintain_order=True).iter_rows(named=True):
        place = epochs.setdefault((point["phase"], point["epoch"]), {"phase": point["phase"], "epoch": point["epoch"]})
        place[point["metric"]] = point["value"]
    names = sorted({name for row in epochs.values() for name in row} - {"phase", "epoch"})
    points = list(epochs.values())
    if json:
        emit(points, (), True)
        return
    _emit_over_time(points, [name for name in names if BY_CLASS not in name])
    if points:
        _emit_by_class(points[-1])


def _emit_over_time(points: list[dict[str, Any]], names: list[str]) -> None:
    """A row per measure, a column per evaluation: at most ``SHOWN`` of them, evenly spread, the last included."""
    every = max(1, -(-len(points) // SHOWN))
    shown = points[::-1][::every][::-1]
    columns = {f"{point['phase']} {point['epoch']}": point for point in shown}
    rows = [{"": name, **{title: point.get(name, "") for title, point in columns.items()}} for name in names]
    emit(rows, ("", *columns), False, title="by phase and epoch")


def _emit_by_class(last: Mapping[str, Any]) -> None:
    """What the last epoch says of single classes (or tenths): a table for every set of names, a column per kind."""
    kinds: dict[str, dict[str, Any]] = {}
    for metric, value in last.items():
        kind, mark, name = metric.partition(BY_CLASS)
        if mark:
            kinds.setdefault(kind, {})[name] = value
    tables: dict[frozenset[str], list[str]] = {}
    for kind, values in kinds.items():
        tables.setdefault(frozenset(values), []).append(kind)
    for columns in tables.values():
        rows = [{"of": name, **{kind: kinds[kind][name] for kind in columns}} for name in kinds[columns[0]]]
        say("")
        emit(rows, ("of", *columns), False)


@commands.command()
def timeline(
    runs: Annotated[list[str], typer.Argument(help="Runs on one dataset, of one method or of several.")],
    video: Annotated[str, typer.Option(help="Name of a test video; the first one if none.")] = "",
    multiple: MultipleOption = 1.0,
    selection: SelectionOption = "validation",
    out: OutOption = "outputs",
    data: DataOption = None,
) -> None:
    """Draw one test video: what is annotated and what each run found, darker where surer.

    Example: suite analyse timeline 3f2a 91bc --video test_00003
    """
    from suite.analyse.timeline import draw
    from suite.api.pages import refresh_index
    from suite.places import Places

    subjects = _subjects(runs, out, data, selection)
    name = video or str(subjects[0].samples.ids[0])
    path = Path(Places(out).local) / "reports" / "timelines" / f"{subjects[0].run['run']}-{name}.html"
    drawn = draw(subjects, name, path, multiple)
    refresh_index(Places(out))  # the page leads there
    say(f"drew {drawn}")


def _subjects(prefixes: list[str], out: str, data: str | None, selection: str) -> list[Subject]:
    from suite.analyse.subject import subject
    from suite.places import Places
    from suite.results.ledger import Ledger

    ledger, places = Ledger.of(out), Places(out, data)
    return [subject(ledger, prefix, places, selection) for prefix in prefixes]
