"""``suite show KIND NAME``: one thing, by the same words for all kinds."""

from __future__ import annotations

import typer

from suite.cli import data, results, sweep
from suite.cli.method import method


def register(app: typer.Typer) -> None:
    """Add ``suite show``."""
    group = typer.Typer(help="Show one run, method, dataset or sweep.", no_args_is_help=True)
    group.command("run")(results.show)
    group.command("method")(method)
    group.command("dataset")(data.show)
    group.command("sweep")(sweep.show)
    app.add_typer(group, name="show")
