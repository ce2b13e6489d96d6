"""``suite results method``: all that the ledger holds of one method, and its page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from suite.cli.complete import datasets, methods
from suite.cli.console import JsonOption, MethodsOption, OutOption, SingleFileOption, emit, emit_json, say

if TYPE_CHECKING:
    from suite.analyse.method_facts import Request, Version


def method(
    name: Annotated[str, typer.Argument(help="A method.", autocompletion=methods)],
    dataset: Annotated[str, typer.Option(help="Print only this dataset.", autocompletion=datasets)] = "",
    methods_files: MethodsOption = None,
    single_file: SingleFileOption = False,
    out: OutOption = "outputs",
    json: JsonOption = False,
) -> None:
    """Print all results of one method, version by version of code and data, and build its page.

    Runs that ask for the same (dataset, protocol, parameters, budget) stand together, the oldest version first: a line
    that moved without anybody wanting it shows here. The page has its parameters and claims, too.

    Example: suite results method mask-bce --dataset planted-verbs
    """
    from suite.analyse.method_facts import requests, scored_runs
    from suite.api.pages import method_pages, refresh_index
    from suite.environment import PLUGINS
    from suite.places import Places
    from suite.registry import method as find_method
    from suite.results.ledger import Ledger

    PLUGINS.add(methods_files or [])
    chosen, places = find_method(name), Places(out)
    places.require_readable()
    ledger = Ledger(places.ledger)
    found = requests(scored_runs(ledger, [chosen.name]), chosen.name, chosen, dataset)
    (file,) = method_pages(ledger, places, [chosen.name], single=single_file)
    refresh_index(places)
    rows = [_version_row(one, version) for one in found for version in one.versions]
    if json:
        emit_json({"method": chosen.name, "page": file, "results": rows})
        return
    if rows:
        shown = (
            "dataset",
            "protocol",
            "setting",
            "begun",
            "code",
            "data",
            "seeds",
            "mean",
            "sd",
            "change",
            "low",
            "high",
        )
        emit([_in_percent(row) for row in rows], shown, False, title=f"{chosen.title}: test data, percent")
    else:
        say(f"the ledger holds no run of {chosen.name}{f' on {dataset}' if dataset else ''}.")
    say(f"page: {file}")


def _version_row(one: Request, version: Version) -> dict[str, Any]:
    """One version of a request, numbers as shares; ``change``, ``low`` and ``high``: against the version before."""
    summary, change = version.summary, version.change
    return {
        "dataset": one.dataset,
        "protocol": one.protocol,
        "setting": one.setting,
        "begun": version.started.strftime("%Y-%m-%d %H:%M"),
        "code": version.code,
        "data": version.fingerprint,
        "commit": version.commit,
        "seeds": summary.count,
        "failed": version.failed,
        "mean": summary.mean,
        "sd": summary.deviation,
        "change": change and change.mean,
        "low": change and change.low,
        "high": change and change.high,
        "runs": [run for _, run, _ in version.runs],
    }


def _in_percent(row: dict[str, Any]) -> dict[str, Any]:
    """The row for the terminal: percent with one decimal, fingerprints by their beginning."""
    shares = ("mean", "sd", "change", "low", "high")
    known = {name: row[name] is not None and row[name] == row[name] for name in shares}
    numbers = {name: f"{100 * row[name]:.1f}" if known[name] else "" for name in shares}
    return {**row, **numbers, "code": row["code"][:8], "data": row["data"][:8]}
