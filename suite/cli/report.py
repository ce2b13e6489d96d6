"""``suite report``: a leaderboard's page from the ledger, without training."""

from __future__ import annotations

from typing import Annotated

import typer

from suite.cli.complete import leaderboards
from suite.cli.console import DataOption, JsonOption, MethodsOption, OutOption, SingleFileOption, emit_json, say
from suite.cli.leaderboard import FewSeeds, ShortEpochs, ShortSettings, TableOption, build_report, make, short_of


def report(
    name: Annotated[
        str, typer.Argument(help="Leaderboard name, or a TOML file.", autocompletion=leaderboards)
    ] = "quick",
    table: TableOption = None,
    epochs: ShortEpochs = None,
    seeds: FewSeeds = None,
    settings: ShortSettings = None,
    single_file: SingleFileOption = False,
    methods_files: MethodsOption = None,
    out: OutOption = "outputs",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Build the page of leaderboard NAME from what the ledger holds; cells without runs say why they are empty.

    Example: suite report quick
    """
    from suite.index import declarations

    with declarations():  # pages say what methods declare; nothing is trained
        places, plan = make(name, out, data, methods_files, table, short_of(epochs, seeds, settings))
        page = build_report(plan, places, single_file)
    if json:
        emit_json({"name": plan.board.name, "page": page, "finished": len(plan.finished), "missing": len(plan.todo)})
        return
    blocked = f", {len(plan.blocked)} blocked by missing data" if plan.blocked else ""
    say(f"{len(plan.finished)} runs shown, {len(plan.todo)} not run yet{blocked}.")
    say(f"page: {page}")


def register(app: typer.Typer) -> None:
    """Add ``suite report``."""
    app.command()(report)
