"""One process at a time: a lock beside the file or folder that it guards, freed by the system when its holder dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from suite.errors import DataError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of ``path``, waiting for it; raises :class:`DataError` where its folder cannot be written."""
    from filelock import FileLock

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name}.lock"))
        lock.acquire()
    except OSError as error:
        raise DataError(
            f"cannot write to {path.parent}: {error.strerror}; choose another folder (--out, --data)."
        ) from None
    try:
        yield
    finally:
        lock.release()
