"""What the sources of modules say, kept in the user's cache: reading two hundred of them takes seconds.

An entry is named by the bytes of the source and by its package; the file by the code that reads sources and by the
Python that does: nothing in it can be out of date. A file that is damaged or cannot be written costs time alone.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from suite.environment import cache_home
from suite.writing import write_whole

MOST = 3000  # sources in the file: of other checkouts, and of this one as it was

Read = tuple[str, tuple[str, ...]]  # the digest of a module's code, and the names that it imports


class Sources:
    """What was read of sources, in this process or in one before."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.held: dict[str, Read] = {}
        self.used: dict[str, Read] = {}
        self.new = False
        with suppress(OSError, ValueError, TypeError, AttributeError):
            found = json.loads(file.read_text(encoding="utf-8"))
            self.held = {str(key): (str(digest), tuple(map(str, names))) for key, (digest, names) in found.items()}

    def read(self, source: bytes, package: str, make: Callable[[str, str], Read]) -> Read:
        """What ``make`` says of a module's text and package, asked once."""
        key = hashlib.sha256(package.encode() + b"\0" + source).hexdigest()[:32]
        found = self.held.get(key)
        if found is None:
            found, self.new = make(source.decode("utf-8"), package), True
        self.held[key] = self.used[key] = found
        return found

    def keep(self) -> None:
        """Write what is new."""
        if not self.new:
            return
        self.new = False
        kept = self.held if len(self.held) <= MOST else self.used
        with suppress(OSError):
            write_whole(self.file, json.dumps(kept))


def sources() -> Sources:
    """Those of this process, in the user's cache as it is now."""
    return _sources(cache_home())


@cache
def _sources(home: Path) -> Sources:
    here = Path(__file__).parent
    digest = hashlib.sha256(repr(sys.version_info).encode())
    for name in ("canonical.py", "reading.py", "source.py"):
        digest.update((here / name).read_bytes())
    return Sources(home / f"sources-{digest.hexdigest()[:16]}.json")
