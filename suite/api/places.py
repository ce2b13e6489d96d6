"""Where a call of the library works: as the command line's ``--out``, ``--data`` and ``--methods``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from suite.environment import DATA, OUTPUTS, PLUGINS
from suite.places import Places

Folder = str | Path | None


def places_of(out: Folder = None, data: Folder = None, methods: Iterable[str | Path] = ()) -> Places:
    """The folders of results and data: those given, else SUITE_OUTPUTS (or ``outputs``) and SUITE_DATA.

    Files with ``methods`` of one's own are registered for this process.
    """
    PLUGINS.add(methods)
    return Places(str(out or OUTPUTS.value or "outputs"), str(data) if data else DATA.value or None)
