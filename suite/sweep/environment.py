"""What the processes of a sweep inherit."""

from __future__ import annotations

import os
from typing import Any

INHERITED = ("SUITE_METHODS", "SUITE_DATASETS", "SUITE_DATA", "SUITE_OUTPUTS")


def environment() -> dict[str, Any]:
    """What every process of a sweep must see: the user's files and folders; one compute thread a core it holds."""
    known = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {"env_vars": {**known, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}}
