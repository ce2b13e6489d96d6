"""The command line: the only place that prints. Each module here adds its commands with ``register(app)``."""

from __future__ import annotations

import errno
import importlib
import io
import os
import pkgutil
import signal
import sys
import traceback
from typing import Annotated, Any

import typer

# Looking through all installed packages for extensions of pydantic, of which none is used, takes ten milliseconds.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from suite import __version__
from suite.cli.console import complain, listen, say
from suite.errors import SuiteError, interrupted, redacted

# The base of all complaints about the words typed, from whichever click typer carries.
CommandLineError: Any = typer.BadParameter.__bases__[0].__bases__[0]

LONGEST = 300  # characters of an error in a sentence
INTERRUPTED = 130
GOES_ON = "interrupted; what was finished is kept, the same command goes on from there."
COMPLETES = "_SUITE_COMPLETE"  # how a shell asks the program called suite
FULL = (errno.ENOSPC, errno.EDQUOT)
NO_ROOM = (*FULL, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM)  # the disk's, not ours
ELSEWHERE = {"list": "listing", "show": "showing", "export": "predict", "diff": "compare"}  # commands by their module

HELP = """Train, sweep, score and compare methods that learn from weak, noisy or incomplete video labels.

Start with `suite leaderboard` (a page of results in minutes), `suite list methods`, or
`suite train mask-bce planted-verbs`. Every command has --help; listings have --json.
"""


def _show_version(asked: bool) -> None:
    if asked:
        say(f"weak-action-suite {__version__}")
        raise typer.Exit


def build(first: str = "") -> typer.Typer:
    """The application with every command registered, or with those alone of the module that holds ``first``.

    Most of the time until a command starts, or a shell is answered, goes into commands that are not the one meant.
    """
    app = typer.Typer(
        name="suite", help=HELP, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    app.callback()(_options)
    names = [info.name for info in pkgutil.iter_modules(__path__)]
    holder = ELSEWHERE.get(first, first)
    alone = [holder] if holder in names and hasattr(_module(holder), "register") else names
    for module in map(_module, alone):
        if hasattr(module, "register"):
            module.register(app)
    return app


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of the suite itself."""


def _module(name: str) -> Any:
    return importlib.import_module(f"{__name__}.{name}")


def _first_word() -> str:
    """The command that was typed, or that a shell completes; empty where that is not known to be all of a word."""
    if COMPLETES in os.environ:
        words, place = os.environ.get("COMP_WORDS", "").split(), os.environ.get("COMP_CWORD", "")
        return words[1] if len(words) > 1 and place.isdigit() and int(place) > 1 else ""
    return sys.argv[1] if len(sys.argv) > 1 else ""


def main() -> None:
    """Run the command line: exit 0, 1 (failure), 2 (usage) or 130 (interrupted), never with a traceback for a user.

    SIGTERM, which Slurm and Kubernetes send before they kill, is Ctrl-C.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without a sign shows its code instead of failing
            stream.reconfigure(errors="backslashreplace")
    listen()
    try:
        code = build(_first_word())(standalone_mode=False)
        if code == INTERRUPTED:  # typer turns Ctrl-C into a code
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)
    except SuiteError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except CommandLineError as error:
        error.show()
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        complain(GOES_ON)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if interrupted(error):
            complain(GOES_ON)
            sys.exit(INTERRUPTED)
        complain(_of_the_disk(error) or _defect(error))
        sys.exit(1)


def _of_the_disk(error: Exception) -> str:
    """One sentence about a file that cannot be written or read; empty for other errors."""
    if not isinstance(error, OSError) or error.errno not in NO_ROOM:
        return ""
    if error.filename is None:  # the write itself failed, which names no file
        return f"{error.strerror}; make room, or choose another folder with --out." if error.errno in FULL else ""
    return f"{error.filename}: {error.strerror}; look at its disk, or choose another folder with --out."


def _defect(error: Exception) -> str:
    """One sentence about an error that nobody foresaw; its traceback goes to a file, for a report."""
    import tempfile

    text = redacted("".join(traceback.format_exception(error)))
    problem = " ".join(redacted(f"{type(error).__name__}: {error}").split())[:LONGEST]
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="suite-error-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(f"suite {' '.join(sys.argv[1:])}\n\n{text}")
    except OSError:
        return f"a defect of the suite: {problem}; no log could be written."
    return f"a defect of the suite: {problem}; please report it with {file.name}."
