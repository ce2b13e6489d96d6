"""Who is appending runs to a ledger at this moment: a compaction may not take their rows for those of dead writers.

The tables of a run are appended one after the other, that of ``runs`` last. In between its rows look like those of a
writer that died. Clocks cannot tell the two apart, since they step; a lock that the system frees when its holder dies
can. It is a file in the ledger, shared by all who append. A file system that several machines share must pass locks on
(NFS does since version 4).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from suite.errors import SuiteError

FILE = "appending.lock"


@contextmanager
def appending(folder: Path) -> Iterator[None]:
    """Inside, this process counts as appending to the ledger in ``folder``, like any number of others.

    Raises :class:`SuiteError` where the file cannot be made.
    """
    lock = _opened(folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)  # waits for those who look, who hold it for a moment only
        yield
    finally:
        os.close(lock)  # and frees it


def under_way(folder: Path) -> bool:
    """Whether any process is appending to the ledger in ``folder``; raises as :func:`appending` does."""
    if not folder.exists():
        return False
    lock = _opened(folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _opened(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise SuiteError(
            f"cannot write to the ledger {folder} ({error.strerror}); check the folder, or choose another with --out."
        ) from None
