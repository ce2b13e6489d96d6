"""What every process that carries out work inherits from the one that started it."""

from __future__ import annotations

import os

from suite.environment import inherited


def environment() -> dict[str, str]:
    """The variables that name the user's files and folders; and one compute thread unless said otherwise."""
    return {**inherited(), "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
