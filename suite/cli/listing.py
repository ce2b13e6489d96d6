"""``suite list``: what there is to train, on what, and to compare with."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from suite.cli.console import JsonOption, MethodsOption, emit
from suite.cli.data import list_datasets
from suite.cli.results import list_runs

TaskOption = Annotated[str | None, typer.Option("--task", help="Only those of one task.")]


def register(app: typer.Typer) -> None:
    """Add ``suite list``."""
    group = typer.Typer(
        help="List methods, datasets, tasks, leaderboards, sweeps, claims or runs.", no_args_is_help=True
    )
    group.command("methods")(list_methods)
    group.command("published")(list_published)
    group.command("datasets")(list_datasets)
    group.command("tasks")(list_tasks)
    group.command("leaderboards")(list_leaderboards)
    group.command("sweeps")(list_sweeps)
    group.command("claims")(list_claims)
    group.command("runs")(list_runs)
    app.add_typer(group, name="list")


def list_methods(task: TaskOption = None, methods: MethodsOption = None, json: JsonOption = False) -> None:
    """Every method with its aliases, task, title, paper and presets; JSON adds the declared hyper-parameters
    and what a method does with labels that a dataset leaves unknown.

    A star marks the preset that is the default.
    """
    from suite.environment import PLUGINS
    from suite.index import SOURCE, declared_methods

    PLUGINS.add(methods or [])
    known = [row for row in declared_methods() if task in (None, row["task"])]
    rows = [{name: value for name, value in row.items() if name != SOURCE} for row in known]
    if not json:
        rows = [{**row, "presets": _presets(row)} for row in rows]
    emit(rows, ("name", "aliases", "task", "title", "paper", "presets"), json)


def list_published(task: TaskOption = None, json: JsonOption = False) -> None:
    """Methods that tables quote from papers but that cannot be run here, and why."""
    from suite import registry

    rows = [entry for entry in registry.published_only().values() if task in (None, entry["task"])]
    emit(rows, ("name", "task", "title", "reason"), json)


def _presets(row: dict[str, Any]) -> str:
    """``recommended*, published``: the default has a star."""
    return ", ".join(f"{name}*" if name == row["default_preset"] else name for name in row["presets"])


def list_tasks(json: JsonOption = False) -> None:
    """The tasks: what they learn from, what they predict, their headline metric."""
    from suite.index.tasks import declared_tasks

    columns = ("name", "learns from", "predicts", "headline")
    emit([{name: row[name.replace(" ", "_")] for name in columns} for row in declared_tasks()], columns, json)


def list_leaderboards(json: JsonOption = False) -> None:
    """Every leaderboard that `suite leaderboard NAME` can build."""
    _list_files("reports", "leaderboards", json)


def list_sweeps(json: JsonOption = False) -> None:
    """Every sweep that `suite sweep NAME` can run."""
    _list_files("sweeps", "", json)


def list_claims(json: JsonOption = False) -> None:
    """Every claim that `suite claims NAME` can judge."""
    _list_files("reports", "claims", json)


def _list_files(kind: str, folder: str, json: bool) -> None:
    import tomllib

    from suite.declarations import shipped

    rows = []
    for path in sorted((shipped(kind) / folder).glob("*.toml")):
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        title = values.get("title", values.get("sentence", ""))  # a claim is called by what it says
        rows.append({"name": path.stem, "title": title, "figure": values.get("figure", "")})
    emit(rows, ("name", "title", "figure") if kind == "sweeps" else ("name", "title"), json)
