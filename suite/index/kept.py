"""A file of what classes declare, in the user's cache, named by the content of everything that this depends on."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from suite.environment import PLUGINS, STARTED, cache_home
from suite.writing import write_whole

FORMAT = 4
KEPT = 8  # indexes of one kind in the cache: of other checkouts, or with files of one's own

Declared = dict[str, Any]
Files = Sequence[str]


def kept(kind: str, files: Files, group: str, make: Callable[[], list[Declared]]) -> list[Declared]:
    """What ``make`` returned when ``files``, what is installed for ``group`` and own files were as they are now."""
    files = [*files, *_own_files()]
    file = cache_home() / f"{kind}-{_key(files, group)}.json"
    with suppress(OSError, ValueError, TypeError):
        held: list[Declared] = json.loads(file.read_text(encoding="utf-8"))
        return held
    found: list[Declared] = json.loads(json.dumps(make(), default=str))  # the same whether read or made
    _keep(kind, file, files, found)
    return found


def sources_of(package: str) -> Iterator[str]:
    """The files of a package, which is not imported."""
    found = importlib.util.find_spec(package)
    for folder in (found.submodule_search_locations or []) if found else []:
        yield from sorted(map(str, Path(folder).rglob("*.py")))


def _own_files() -> Iterator[str]:
    for path in map(Path, PLUGINS.paths()):
        yield from sorted(map(str, path.parent.glob("*.py")))  # what it imports lies beside it


@cache
def _installed() -> Any:  # of a type of its own before Python 3.12
    """What installed packages offer for any group: reading it of each takes a hundredth of a second."""
    return entry_points()


def _key(files: Files, group: str) -> str:
    digest = hashlib.sha256(f"{FORMAT}\0{PLUGINS.value}".encode())
    for file in files:
        digest.update(f"\0{file}\0".encode())
        with suppress(OSError):
            digest.update(Path(file).read_bytes())
    for point in sorted(_installed().select(group=group), key=lambda point: point.value):
        digest.update(f"\0{point.value}\0{point.dist.version if point.dist else ''}".encode())
    return digest.hexdigest()[:16]


def _keep(kind: str, file: Path, files: Files, found: list[Declared]) -> None:
    """Write the index; where that fails, the next listing takes as long as this one.

    A process that runs since before a file changed may have imported the file as it was: its index would be wrong.
    """
    with suppress(OSError):
        if any(Path(path).stat().st_mtime >= STARTED for path in files):
            return
        write_whole(file, json.dumps(found))
        old = sorted(file.parent.glob(f"{kind}-*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in old[KEPT:]:
            path.unlink(missing_ok=True)
