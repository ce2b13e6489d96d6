"""Files that are whole or not there: what is written beside the ledger and read again."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write_whole(file: Path, content: str | bytes) -> None:
    """Write ``content`` (text as UTF-8) to ``file``; a death in the middle, or a full disk, leaves what was there.

    Its folder is made. Raises :class:`OSError`, with the file's name, where nothing can be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{os.getpid()}")  # others may write the same file at the same time
    try:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        partial.replace(file)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        error.filename = error.filename or str(file)  # a failed write names none
        raise
