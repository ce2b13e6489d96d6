"""Where the declarations are that come with the suite: dataset cards, sweeps, boards. Imports nothing else of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def shipped(kind: str) -> Path:
    """The folder of shipped declarations (``datasets``, ``sweeps``, ``reports``).

    In a checkout it stands beside the package; in an installed wheel it is package data under ``suite/shipped``. The
    project file beside it distinguishes the two: ``site-packages/datasets`` may be another package.
    """
    package = Path(__file__).resolve().parent
    if (package.parent / "pyproject.toml").is_file():
        return package.parent / kind
    return package / "shipped" / kind
