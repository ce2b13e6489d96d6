"""Rehearsal packs of generated annotations: small enough for the fast tests, and independent of what is at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suite.rehearsal import draft, rehearse, request


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a pack below ``tmp_path/data``; returns that folder."""

    def written(
        name: str, to: Path | None = None, source: Path | None = None, force: bool = False, **more: Any
    ) -> Path:
        to = to or tmp_path / "data"
        asked = request(name, source or tmp_path / "nothing", to, **{"channels": 8, "videos": 12, **more})
        rehearse(asked, draft(asked), force=force)
        return to

    return written
