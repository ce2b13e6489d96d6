"""``suite compare`` and ``suite diff``: two methods, runs or ledgers side by side."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suite.cli.complete import datasets
from suite.cli.console import DataOption, JsonOption, MethodsOption, OutOption, complain, emit, emit_json, say

if TYPE_CHECKING:
    from suite.analyse.compare import Compared, Moved

CLASSES = 8  # that moved most


def compare(
    first: Annotated[str, typer.Argument(help="A method, or the beginning of a run's id.")],
    second: Annotated[str, typer.Argument(help="The same, to compare with.")],
    dataset: Annotated[str, typer.Option(help="Only runs on this dataset.", autocompletion=datasets)] = "",
    methods_files: MethodsOption = None,
    out: OutOption = "outputs",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Compare FIRST with SECOND: per metric and class what moved, with intervals, and what differs between them.

    Runs are paired by dataset, protocol and seed. Intervals: Student's t over the paired seeds; for the headline also
    a bootstrap over videos or clips with the seeds drawn along, where predictions are on record.

    Example: suite compare mask-bce assume-negative --dataset planted-verbs
    """
    from suite.analyse.compare import compare as side_by_side
    from suite.analyse.compare_page import write_comparison
    from suite.api.pages import refresh_index
    from suite.environment import PLUGINS
    from suite.places import Places
    from suite.results.ledger import Ledger

    PLUGINS.add(methods_files or [])
    places = Places(out, data)
    places.require_readable()
    found = side_by_side(Ledger(places.ledger), places, first, second, dataset)
    name = re.sub(r"[^A-Za-z0-9-]+", "_", f"{first}-against-{second}" + (f"-{dataset}" if dataset else ""))
    page = write_comparison(found, places.local / "reports" / "compare" / f"{name}.html")
    refresh_index(places)
    if json:
        emit_json({**_plain(found), "page": page})
        return
    _print(found)
    say(f"page: {page}")


def _plain(found: Compared) -> dict[str, Any]:
    resampled = {
        name: {key: getattr(one, key) for key in ("estimate", "low", "high", "p_value")}
        for name, one in found.resampled.items()
    }
    return {
        "names": found.names,
        "pairs": [[row["run"] for row in pair] for pair in found.pairs],
        "metrics": [asdict(row) for row in found.metrics],
        "classes": [asdict(row) for row in found.classes],
        "resampled": resampled,
        "differs": found.differs,
        "missing": found.missing,
    }


def _print(found: Compared) -> None:
    from suite.analyse.compare_page import HEADINGS, line, resampled_lines

    pairs = f"{len(found.pairs)} pair{'s' if len(found.pairs) > 1 else ''} of runs"
    say(f"{found.names[0]} − {found.names[1]}: {pairs}, percent")

    def table(rows: list[Moved], title: str) -> None:
        emit([dict(zip(HEADINGS, line(row), strict=True)) for row in rows], HEADINGS, False, title=title)

    table(list(found.metrics), "on test data, epochs chosen on validation data")
    moved = sorted(found.classes, key=lambda row: -abs(row.difference.mean))[:CLASSES]
    if moved:
        table(moved, f"classes that moved most, of {len(found.classes)}")
    for text in resampled_lines(found):
        say(text)
    for text in found.missing:
        complain(text)
    if found.differs:
        rows = [{"": name, found.names[0]: one, found.names[1]: two} for name, one, two in found.differs]
        emit(rows, ("", *found.names), False, title="what differs")


def diff(
    old: Annotated[Path, typer.Argument(help="The folder of results (outputs) to compare with.")],
    new: Annotated[Path, typer.Argument(help="The folder of results that may have changed.")],
    tolerance: Annotated[
        float, typer.Option(help="Differences up to this are none (shares, not percent).", min=0)
    ] = 0.0,
    json: JsonOption = False,
) -> None:
    """Compare two folders of results, request by request: same method, dataset, protocol, seed and parameters.

    Ends with code 1 when numbers differ.

    Example: suite diff outputs-before outputs --tolerance 1e-6
    """
    from suite.analyse.ledgers import difference
    from suite.places import Places
    from suite.results.ledger import Ledger

    for folder in (old, new):
        Places(str(folder)).require_readable()
    found = difference(Ledger.of(old), Ledger.of(new), tolerance)
    if json:
        lists = {"only_old": found.only_old["run"].to_list(), "only_new": found.only_new["run"].to_list()}
        emit_json({"changed": found.changed.to_dicts(), "same": found.same, **lists})
    else:
        shown = ("method", "dataset", "seed", "metric", "label", "threshold", "value", "value_new", "difference")
        if len(found.changed):
            emit(found.changed.to_dicts(), shown, False, title="the number that moved most, by run")
        say(f"{found.same} runs with the same numbers, {len(found.changed)} with others;")
        say(f"{len(found.only_old)} only in {old}, {len(found.only_new)} only in {new}.")
    if len(found.changed):
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add ``suite compare`` and ``suite diff``."""
    app.command()(compare)
    app.command()(diff)
