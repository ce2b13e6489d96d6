"""Checksums of a table's data files, beside the ledger: what a disk changed later is found, though it can be read.

A line per file, added when the file is committed. A file without one (of an older ledger, or where the line could not
be written) counts as whole if it can be read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

FOLDER = "checksums"  # below the ledger


class Checksums:
    """SHA-256 of the data files of the table in ``folder``, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder.parent / FOLDER / f"{folder.name}.jsonl"

    def known(self) -> dict[str, str]:
        """What is recorded; a line that a crash cut is passed over."""
        found: dict[str, str] = {}
        with suppress(OSError):
            for line in self.file.read_text(encoding="utf-8", errors="replace").splitlines():
                with suppress(ValueError, KeyError, TypeError):
                    note = json.loads(line)
                    found[note["file"]] = note["sha256"]
        return found

    def add(self, paths: Iterable[Path]) -> None:
        """Record files that were just committed. Where nothing can be written they stay without a checksum."""
        with suppress(OSError):
            lines = [json.dumps({"file": path.name, "sha256": sha256(path)}) + "\n" for path in paths]
            if lines:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                with self.file.open("a", encoding="utf-8") as out:  # one write: lines of several writers do not mix
                    out.write("".join(lines))

    def keep(self, names: set[str]) -> None:
        """Forget all files but ``names``."""
        known = self.known()
        if known.keys() <= names:
            return
        kept: Mapping[str, str] = {name: digest for name, digest in known.items() if name in names}
        partial = self.file.with_suffix(".partial")
        with suppress(OSError):
            lines = [json.dumps({"file": name, "sha256": digest}) + "\n" for name, digest in kept.items()]
            partial.write_text("".join(lines), encoding="utf-8")
            partial.replace(self.file)


def sha256(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
