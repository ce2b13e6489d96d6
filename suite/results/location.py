"""Where a ledger on a local disk lies: a folder whose path Delta Lake's library can open.

The library takes ``%20`` in the name of a folder for a blank, and fails on brackets, ``|``, ``^``, backslashes and
control characters. A ledger asked for under such a path is kept in the user's data folder, with a link in its place.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from suite.errors import UsageError

_MISREAD = re.compile(r"[\[\]^|\\\x00-\x1f\x7f]|%[0-9A-Fa-f]{2}")


def is_uri(folder: str | Path) -> bool:
    """Whether ``folder`` names a remote store (``s3://...``) and not a path."""
    return isinstance(folder, str) and "://" in folder


def location(folder: Path) -> Path:
    """The folder to open for a ledger at ``folder``; nothing is created.

    Raises :class:`UsageError` for a folder with files in it that cannot be opened where it is.
    """
    real = folder.resolve()
    misread = _MISREAD.search(str(real))
    if misread is None:
        return folder
    if real.is_dir() and any(real.iterdir()):
        raise UsageError(
            f"the ledger {folder} cannot be opened under a path with {misread.group()!r}; "
            "rename that folder, or choose another with --out."
        )
    return data_home() / "weak-action-suite" / "ledgers" / hashlib.sha256(os.fsencode(real)).hexdigest()[:16]


def link(folder: Path) -> None:
    """Put a link at ``folder`` to its :func:`location`, where that is elsewhere; other processes may do the same."""
    found = location(folder)
    if found == folder:
        return
    found.mkdir(parents=True, exist_ok=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.is_dir() and not folder.is_symlink():
        folder.rmdir()  # empty, or location() had refused it
    try:
        folder.symlink_to(found, target_is_directory=True)
    except FileExistsError:
        # Another process made the link first; only a link to somewhere else is a conflict.
        if folder.resolve() != found.resolve():
            raise


def data_home() -> Path:
    """The folder for a user's data, by the XDG base directory specification."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
