"""Where finished work waits that could not be written where it belongs."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from suite.places import Places
from suite.results.location import data_home

MODEL = ".model"  # how the names of folders with weights end


def places_to_keep(places: Places) -> Iterator[Path]:
    """Where to keep: beside the ledger, else with the user's data, else with temporary files."""
    absolute = places.absolute()
    name = hashlib.sha256(os.fsencode(absolute.outputs)).hexdigest()[:16]
    yield absolute.local.absolute() / "kept"
    yield data_home() / "weak-action-suite" / "kept" / name
    yield Path(tempfile.gettempdir()) / f"weak-action-suite-{os.getuid()}" / "kept" / name


def kept(places: Places) -> Iterator[Path]:
    """All that waits for these outputs, of this user only."""
    for place in places_to_keep(places):
        with suppress(OSError):
            if place.stat().st_uid == os.getuid():
                yield from sorted(place.iterdir())
