"""What commands load before they answer: each brings its own module alone, listings and plans no heavy library."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from suite.cli import build
from suite.results.ledger import Ledger
from tests.cli.test_complete import HEAVY
from tests.results.ledgers import outcome

WHOLE = get_command(build())


def loaded(words: list[str], folder: Path) -> tuple[str, set[str]]:
    """What a command prints, and the heavy packages that its process loaded."""
    told = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr));"
    code = f"{told} sys.argv = ['suite', *{words!r}]; from suite.cli import main; main()"
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "SUITE_OUTPUTS": str(folder / "outputs")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=folder
    )
    return done.stdout, HEAVY & set(done.stderr.split())


def described(command: Any) -> dict[str, Any]:
    """Help, parameters and sub-commands of a command."""
    parameters = [(one.name, *one.opts, getattr(one, "help", ""), one.required, one.nargs) for one in command.params]
    below = {name: described(one) for name, one in getattr(command, "commands", {}).items()}
    return {"name": command.name, "help": command.help, "parameters": parameters, "below": below}


@pytest.mark.parametrize("name", sorted(WHOLE.commands))
def test_a_command_alone_is_that_of_the_whole(name: str) -> None:
    """Options, arguments, sub-commands and their help: whether the module that holds it is loaded alone or with all."""
    alone, whole = get_command(build(name)), WHOLE
    assert len(alone.commands) < len(whole.commands), "other modules were loaded, too"
    assert described(alone.commands[name]) == described(whole.commands[name])


@pytest.mark.parametrize(
    "words",
    [
        ["list", "methods"],
        ["list", "datasets"],
        ["list", "tasks"],
        ["list", "sweeps", "--json"],
        ["plan", "quick"],
        ["plan", "quick", "--json"],
    ],
    ids=" ".join,
)
def test_listings_and_plans_load_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    """Nor do they say anything else than when the index is made, by all that is declared."""
    Ledger(tmp_path / "outputs" / "ledger").record_all([outcome(seed=1), outcome("ce", 2, status="failed")])
    first, _ = loaded(words, tmp_path)
    second, heavy = loaded(words, tmp_path)
    assert second == first and not heavy


def test_tasks_by_their_declarations_name_runs_as_the_tasks_do(tmp_path: Path) -> None:
    code = (
        "from contextlib import nullcontext; from suite.places import Places; from suite.index import declarations\n"
        "from suite.runs import resolve_run, run_id; import sys\n"
        "asked = [('mask-bce', 'planted-verbs'), ('asl', 'planted-videos'), ('npl', 'planted-videos'),"
        " ('fixmatch-actors', 'planted-actors')]\n"
        "with declarations(of_tasks=True) if sys.argv[1] else nullcontext():\n"
        "    print(*(run_id(resolve_run(*one), Places()) for one in asked))\n"
        "print('torch' in sys.modules)"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    said = [
        subprocess.run(
            [sys.executable, "-c", code, way], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
        ).stdout.split()
        for way in ("", "declared", "declared")
    ]
    assert said[0][:4] == said[1][:4] == said[2][:4] and len(set(said[0][:4])) == 4
    assert said[2][4] == "False"


def test_what_hands_out_the_runs_of_a_board_loads_nothing_that_trains() -> None:
    code = "import sys, suite.leaderboard.source, suite.leaderboard.run, suite.work.tune_workers; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numba", "scipy", "optuna"} & set(found)


def test_python_runs_the_suite_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "suite", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("weak-action-suite ")
