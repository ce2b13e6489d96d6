"""A fingerprint of the code that computes a run: change what a method does, and its runs are no longer the same runs.

Comments and docstrings do not count, nor do modules that only carry, store or tell.
"""

from __future__ import annotations

import sys
from pathlib import Path

from suite.method import Method
from suite.source import closure, digest

ROOTS = ("suite.method", "suite.train.loop")
BYSTANDERS = (
    "suite.errors",
    "suite.data",
    "suite.spec",
    "suite.registry",
    "suite.train.checkpoint",
    "suite.train.saving",
    "suite.train.reporter",
    "suite.train.derived",
)


def code_fingerprint(method: type[Method], task_module: str) -> str:
    """16 hexadecimal digits for the source of ``method``, of all it imports and of the parts of the suite at work."""
    own = sys.modules[method.__module__].__file__
    first = method.__module__ if method.__module__.startswith("methods.") or own is None else Path(own)
    return digest(closure([first, task_module, *ROOTS], _counts))[:16]


def _counts(name: str) -> bool:
    return name.startswith(("suite", "methods")) and not name.startswith(BYSTANDERS)
