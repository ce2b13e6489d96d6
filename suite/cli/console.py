"""How commands speak: tables for people, JSON for scripts, one line for a mistake; and the options all share."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from suite.cli.complete import runs as complete_runs
from suite.cli.table import plain_table

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and the end of a line
TRACKERS = ("csv", "tensorboard", "wandb", "mlflow")
PIPED_WIDTH = 200  # of a table that goes to a file or another program

OutOption = Annotated[
    str, typer.Option("--out", envvar="SUITE_OUTPUTS", help="Folder (or s3:// URI) of ledger, checkpoints and reports.")
]
DataOption = Annotated[
    str | None, typer.Option("--data", envvar="SUITE_DATA", help="Folder of the real datasets.", show_default="data")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of text.")]
MethodsOption = Annotated[
    list[str] | None,
    typer.Option("--methods", help="A Python file with methods or tasks of your own; may be repeated."),
]


class Keep(StrEnum):
    """Whose weights are kept with a run."""

    selected = "selected"
    last = "last"
    all = "all"
    none = "none"


KEEP_HELP = "Weights to keep: of the epoch that validation data chose (selected), the last, all (and oracle), or none."
LogOption = Annotated[
    list[str] | None,
    typer.Option(
        "--log",
        help="Log curves while training: csv, tensorboard, wandb or mlflow (below outputs/tracking, or to the service "
        "that WANDB_MODE and MLFLOW_TRACKING_URI name); may be repeated.",
        autocompletion=lambda incomplete: [n for n in TRACKERS if n.startswith(incomplete)],
    ),
]
KeepOption = Annotated[Keep, typer.Option("--keep", help=KEEP_HELP)]
SingleFileOption = Annotated[
    bool, typer.Option("--single-file", help="Put all that the page needs into it (5 MB more), for mailing.")
]
RunArgument = Annotated[str, typer.Argument(help="The id of a run, or its beginning.", autocompletion=complete_runs)]
AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address", help="An existing Ray cluster, host:port or auto (which RAY_ADDRESS may name); else a local one."
    ),
]

AccumulateOption = Annotated[
    int, typer.Option(help="Pieces of a batch computed one by one, gradients added: less memory.", min=1)
]
MaxCpusOption = Annotated[
    float | None,
    typer.Option("--max-cpus", help="CPUs held at once at the most; a cluster that grows is asked for them.", min=0.1),
]
MaxGpusOption = Annotated[
    float | None, typer.Option("--max-gpus", help="GPUs held at once at the most, likewise.", min=0.0)
]


def shown(text: str) -> str:
    """``text`` with control characters as codes: titles, names and errors come from files, a terminal obeys them."""
    return CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def complain(message: str) -> None:
    """One line on standard error."""
    print(f"suite: {shown(message)}", file=sys.stderr)


class _Once(logging.Handler):
    """What the suite logs while it works, each line once, on standard error."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.seen: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message unless it was printed before."""
        message = record.getMessage()
        if message not in self.seen:
            self.seen.add(message)
            complain(f"{message}.")


def listen() -> None:
    """Print what the suite logs (initial weights that do not fit whole, for example) from now on."""
    logger = logging.getLogger("suite")
    logger.handlers = [_Once()]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def say(message: str) -> None:
    """One line on standard output."""
    print(shown(message))


def emit_json(value: Any) -> None:
    """``value`` as JSON on standard output; numbers that JSON cannot hold become null."""
    print(json.dumps(_plain(value), indent=2, ensure_ascii=False, default=str))


def emit(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], as_json: bool, title: str = "") -> None:
    """``rows`` as JSON (all their keys) or as a table of ``columns``."""
    if as_json:
        emit_json(list(rows))
        return
    cells = [[_text(row.get(column)) for column in columns] for row in rows]
    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH
    text = plain_table(columns, cells, wide) if wide and not title else None
    if text is None:
        _print_folded(columns, cells, wide, title)
    else:
        print(text)
    if not rows:
        print("nothing to list")


def _print_folded(columns: Sequence[str], cells: Sequence[Sequence[str]], width: int | None, title: str) -> None:
    """A table as wide as the terminal, or ``width``, whose cells go on in the next line where they have to."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in cells:
        table.add_row(*row)
    Console(width=width, markup=False, highlight=False).print(table)  # hapt[labelled=0.1] holds a dial, not a style


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return shown(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
