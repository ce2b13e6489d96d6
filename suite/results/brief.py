"""A ledger's runs in brief, for plans: which there are, how they ended, what they were asked and how long they took.

Reading the table of runs takes libraries that are slower to import than a plan is to make. What it says in brief is
therefore kept in a file, which counts only while each file of the table has the name, size and time that
it had: a commit, a merge and a repair write files anew, and so does whatever damages them. The file bears a checksum.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.results.location import is_uri, location
from suite.writing import write_whole

if TYPE_CHECKING:
    import polars as pl

FORMAT = 1
COLUMNS = ("run", "status", "seconds", "method", "dataset", "protocol", "seed", "params", "epochs")

Brief = Sequence[Mapping[str, Any]]  # rows with COLUMNS, one per run, the oldest first


def in_brief(runs: pl.DataFrame) -> Brief:
    """The ``runs`` of a ledger's table in brief."""
    return list(runs.select(COLUMNS).iter_rows(named=True))


def brief(folder: str | Path, file: Path) -> Brief:
    """The runs of the ledger in ``folder`` in brief, kept in ``file``; from the table itself where that has changed.

    Raises :class:`SuiteError` for a table that cannot be read.
    """
    if is_uri(folder):
        return _read(folder)
    table = location(Path(folder).absolute()) / "runs"
    state = _state(table)
    if not state:
        return ()
    held = _kept(file, state)
    if held is None:
        held = _read(folder)
        if _state(table) == state:  # nobody has written in between
            _keep(file, state, held)
    return held


def _read(folder: str | Path) -> Brief:
    from suite.results.ledger import Ledger

    return in_brief(Ledger(folder).runs())


def _state(table: Path) -> str:
    """A print of the names, sizes and times of all files of a table; empty where there is no table."""
    seen = sorted(_files(table))
    return hashlib.sha256(repr((FORMAT, seen)).encode()).hexdigest() if seen else ""


def _files(folder: Path) -> Iterator[tuple[str, int, int, int]]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _files(Path(entry.path))
            else:
                found = entry.stat()
                yield entry.path, found.st_size, found.st_mtime_ns, found.st_ino


def _kept(file: Path, state: str) -> Brief | None:
    """What ``file`` holds for ``state``; None where that is of another state, damaged or not there."""
    with suppress(OSError, ValueError):
        head, _, text = file.read_text(encoding="utf-8").partition("\n")
        if head == f"{state} {hashlib.sha256(text.encode()).hexdigest()}":
            held: Brief = json.loads(text)
            return held
    return None


def _keep(file: Path, state: str, held: Brief) -> None:
    """Where that fails, the next plan takes as long as this one."""
    text = json.dumps(held)
    with suppress(OSError):
        write_whole(file, f"{state} {hashlib.sha256(text.encode()).hexdigest()}\n{text}")
