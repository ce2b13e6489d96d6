"""A file that is part of a request: found by its path, identified by its content.

In a specification such a file stands as ``path@sha256:<64 digits>``. Only the checksum is part of the run's name, so
that the same file in another place asks for the same run, and a changed file for another one.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from suite.errors import DataError, UsageError
from suite.sealing import sealed

_FORM = re.compile(r"(?P<path>.+)@sha256:(?P<digest>[0-9a-f]{64})", re.DOTALL)
KEPT = "model.safetensors"  # the weights of a kept model, in its folder, which bears the name of its run
SHORT = 12  # digits of a checksum that people are shown

T = TypeVar("T")


@dataclass(frozen=True)
class PinnedFile:
    """A file with the SHA-256 of its content; an empty ``digest`` stands for any content."""

    path: Path
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> PinnedFile:
        """``path@sha256:…``, or a bare path."""
        found = _FORM.fullmatch(text)
        return cls(Path(found["path"]), found["digest"]) if found else cls(Path(text))

    def __str__(self) -> str:
        return f"{self.path}@sha256:{self.digest}" if self.digest else str(self.path)

    @property
    def label(self) -> str:
        """The file as reports name it: its name, that of a kept model by its folder, and the start of its checksum."""
        name = f"{self.path.parent.name}/{KEPT}" if self.path.name == KEPT else self.path.name
        return f"{name} (SHA-256 {self.digest[:SHORT]}…)" if self.digest else name

    def pin(self) -> PinnedFile:
        """The same file, by its absolute path and with its checksum.

        Raises :class:`UsageError` if it is not there, or has a checksum of itself inside and is not what that says.
        """
        if self.digest:
            return self
        path = self.path.expanduser().absolute()
        if not path.is_file():
            raise UsageError(f"there is no file {path}; give the path of a file that exists.")
        if path.name == KEPT and sealed(path) is False:
            raise UsageError(f"{path} is damaged: its checksum is another; train its run again, or give another file.")
        return PinnedFile(path, sha256_of(path))

    def require(self) -> Path:
        """Its path; raises :class:`DataError` if the file is gone or its content is another one."""
        if not self.path.is_file():
            raise DataError(f"{self.path} is not on this machine; put the file there or give another path.")
        if self.digest and (found := sha256_of(self.path)) != self.digest:
            raise DataError(
                f"{self.path} has changed: its SHA-256 is {found[:SHORT]}…, not {self.digest[:SHORT]}…; ask for the "
                "run again with the file as it is now."
            )
        return self.path


def content_of(value: T) -> T | str:
    """What of a parameter's value is part of a run's name: of a pinned file its checksum, else the value itself."""
    found = _FORM.fullmatch(value) if isinstance(value, str) else None
    return f"sha256:{found['digest']}" if found else value


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file; computed once as long as its size and time stay as they are."""
    state = path.stat()
    return _sha256(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256(path: Path, size: int, changed: int) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); give another file.") from None
