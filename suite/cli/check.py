"""``suite check``: does a method keep the contract?"""

from __future__ import annotations

from typing import Annotated

import typer

from suite.cli.complete import methods
from suite.cli.console import JsonOption, MethodsOption, OutOption, emit_json, say
from suite.errors import SuiteError


def register(app: typer.Typer) -> None:
    """Add ``suite check``."""
    app.command()(check)


def check(
    method: Annotated[str, typer.Argument(help="Method name, shipped or from --methods.", autocompletion=methods)],
    dataset: Annotated[str, typer.Option(help="Dataset to try it on; default: the task's planted world.")] = "",
    settings: Annotated[list[str] | None, typer.Option("--set", help="A hyper-parameter, name=value.")] = None,
    epochs: Annotated[int, typer.Option(help="Epochs of each trial training.", min=2)] = 3,
    methods_files: MethodsOption = None,
    out: OutOption = "outputs",
    json: JsonOption = False,
) -> None:
    """Try METHOD on a planted world and say in plain words what is missing.

    Checks declarations, training, determinism, resume, empty splits, moving parameters and learning.

    Example: suite check my-method --methods my_method.py
    """
    from suite.cli.train import parse_settings
    from suite.conformance import examine
    from suite.environment import PLUGINS
    from suite.places import Places

    PLUGINS.add(methods_files or [])
    findings = []
    for finding in examine(method, dataset, parse_settings(settings or []), epochs, Places(out).cache):
        findings.append(finding)
        if not json:
            say(f"{'yes' if finding.holds else 'NO ':3}  {finding.check}: {finding.said}")
    if json:
        emit_json([vars(finding) for finding in findings])
    failed = [finding.check for finding in findings if not finding.holds]
    if failed:
        raise SuiteError(f"{method} does not keep {len(failed)} of {len(findings)} expectations: {'; '.join(failed)}.")
