"""Checksums of a table's files, beside the ledger: what a disk changed later is found when it is read.

Data files and commits of a Delta table never change once they are written. Each has a line here, added when it was
committed; a line says by a checksum of its own that it is whole. A file without a line (of an older ledger, or where
the line could not be written) counts as whole if it can be read, until a compaction or a repair gives it one.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from suite.errors import DataError
from suite.writing import write_whole

FOLDER = "checksums"  # below the ledger
LOG = "_delta_log"

_seen: set[tuple[str, int, int]] = set()  # files that this process found whole, with their sizes and times


class Checksums:
    """SHA-256 of the files of the table in ``folder``, by their paths below it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder.parent / FOLDER / f"{folder.name}.jsonl"

    def known(self) -> dict[str, str]:
        """What is recorded, the last line of each file; a line that a crash cut or a disk changed is passed over."""
        found: dict[str, str] = {}
        with suppress(OSError):
            for line in self.file.read_text(encoding="utf-8", errors="replace").splitlines():
                with suppress(ValueError, KeyError, TypeError):
                    note = json.loads(line)
                    if note.get("crc", _crc(note["file"], note["sha256"])) == _crc(note["file"], note["sha256"]):
                        found[note["file"]] = note["sha256"]
        return found

    def require(self, paths: Iterable[Path], again: bool = False) -> None:
        """Raise :class:`DataError` for the first of ``paths`` that is not as it was recorded.

        Each is read once by a process, as long as its size and time stay as they are, or ``again``. Files that are not
        there are others' business.
        """
        known: dict[str, str] | None = None
        for path in paths:
            with suppress(FileNotFoundError):
                state = path.stat()
                seen = (str(path), state.st_size, state.st_mtime_ns)
                if seen in _seen and not again:
                    continue
                known = self.known() if known is None else known
                if known.get(self.name(path), "") not in ("", sha256(path)):
                    raise DataError(f"{self.name(path)} is not as it was written: its checksum is another")
                _seen.add(seen)

    def add(self, paths: Iterable[Path]) -> None:
        """Record files that were just committed. Where nothing can be written they stay without a checksum."""
        with suppress(OSError):
            lines = [_line(self.name(path), sha256(path)) for path in paths if path.is_file()]
            if lines:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                with self.file.open("a", encoding="utf-8") as out:  # one write: lines of several writers do not mix
                    out.write("".join(["\n" if self._torn() else "", *lines]))

    def _torn(self) -> bool:
        """Whether the last line was cut, so that the next would continue it."""
        with self.file.open("rb") as held:
            held.seek(max(0, self.file.stat().st_size - 1))
            return held.read(1) not in (b"", b"\n")

    def forget(self, paths: Iterable[Path]) -> None:
        """Forget files that are gone: others may have their names later."""
        names = {self.name(path) for path in paths}
        if not names:
            return
        self.write({name: digest for name, digest in self.known().items() if name not in names})

    def keep(self, paths: Iterable[Path]) -> None:
        """Forget all files but ``paths``, and record those of them that have no line yet."""
        names, known = {self.name(path): path for path in paths}, self.known()
        self.add(path for name, path in names.items() if name not in known)
        if known.keys() <= names.keys():
            return
        self.write({name: digest for name, digest in self.known().items() if name in names})

    def write(self, digests: Mapping[str, str]) -> None:
        """Record ``digests`` in place of all."""
        with suppress(OSError):
            write_whole(self.file, "".join(_line(name, digest) for name, digest in digests.items()))

    def name(self, path: Path) -> str:
        """How a line names ``path``."""
        return f"{LOG}/{path.name}" if path.parent.name == LOG else path.name


def _line(name: str, digest: str) -> str:
    return json.dumps({"file": name, "sha256": digest, "crc": _crc(name, digest)}) + "\n"


def _crc(name: str, digest: str) -> int:
    return zlib.crc32(f"{name}\0{digest}".encode())


def sha256(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
