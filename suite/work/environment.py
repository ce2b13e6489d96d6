"""What every process that carries out work inherits from the one that started it."""

from __future__ import annotations

import os

INHERITED = ("SUITE_METHODS", "SUITE_DATASETS", "SUITE_DATA", "SUITE_OUTPUTS")


def environment() -> dict[str, str]:
    """The variables that name the user's files and folders; and one compute thread unless said otherwise."""
    known = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**known, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
