"""The files of a Delta table's log: what makes up its newest version."""

from __future__ import annotations

import re
from pathlib import Path

from suite.results.checksums import LOG

_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.parquet")


def commit_file(folder: Path, version: int) -> Path:
    """The commit that made ``version`` of the table in ``folder``."""
    return folder / LOG / f"{version:020}.json"


def checkpoint_file(folder: Path, version: int) -> Path:
    """The state of the table in ``folder`` at ``version``, in one file, where there is one."""
    return folder / LOG / f"{version:020}.checkpoint.parquet"


def version_of(file: Path) -> int | None:
    """Which version a commit or checkpoint is of; None for any other file."""
    found = _COMMIT.fullmatch(file.name) or _CHECKPOINT.fullmatch(file.name)
    return int(found[1]) if found else None


def files(folder: Path) -> list[Path]:
    """All commits and checkpoints of the table in ``folder``, the oldest first, a commit before its checkpoint."""
    found = [path for path in (folder / LOG).iterdir() if version_of(path) is not None]
    return sorted(found, key=lambda path: (version_of(path), path.suffix))


def between(folder: Path, before: int, version: int) -> list[Path]:
    """The commits after ``before`` up to ``version``, and the checkpoints among them."""
    numbers = range(before + 1, version + 1)
    made = (checkpoint_file(folder, number) for number in numbers)
    return [*(commit_file(folder, number) for number in numbers), *(path for path in made if path.exists())]


def needed(folder: Path, version: int) -> list[Path]:
    """The files that ``version`` of the table in ``folder`` is read from: a checkpoint and the commits after it."""
    until = [path for path in files(folder) if (version_of(path) or 0) <= version]
    last = max((place for place, path in enumerate(until) if path.suffix == ".parquet"), default=0)
    return until[last:]
