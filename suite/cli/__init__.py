"""The command line: the only place that prints. Each module here adds its commands with ``register(app)``."""

from __future__ import annotations

import importlib
import pkgutil
import signal
import sys
from typing import Any

import typer

from suite.cli.console import complain, listen
from suite.errors import SuiteError

# The base of all complaints about the words typed, from whichever click typer carries.
CommandLineError: Any = typer.BadParameter.__bases__[0].__bases__[0]

HELP = """Train, sweep, score and compare methods that learn from weak, noisy or incomplete video labels.

Start with `suite leaderboard` (a page of results in minutes), `suite list methods`, or
`suite train mask-bce planted-verbs`. Every command has --help; listings have --json.
"""


def build() -> typer.Typer:
    """The application with every command registered."""
    app = typer.Typer(
        name="suite", help=HELP, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        if hasattr(module, "register"):
            module.register(app)
    return app


def main() -> None:
    """Run the command line: exit 0, 1 (failure), 2 (usage) or 130 (interrupted), never with a traceback for a user.

    SIGTERM, which Slurm and Kubernetes send before they kill, is Ctrl-C.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    listen()
    try:
        code = build()(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except SuiteError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except CommandLineError as error:
        error.show()
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        complain("interrupted; what was finished is kept, the same command goes on from there.")
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
