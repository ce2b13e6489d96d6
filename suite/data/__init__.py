"""Datasets: cards, readers, planted worlds, and the memory-mapped store that every worker on a node shares."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from suite.data.reading import Reader
from suite.data.request import fingerprint
from suite.data.storage.cards import all_cards, find_card, folders
from suite.data.storage.files import is_available

if TYPE_CHECKING:
    from suite.data.loading import load
    from suite.data.storage.rows import LazyRows

# Listings and plans name data and read none: what reads arrays is loaded when it is first used.
_LAZY = {"load": "suite.data.loading", "LazyRows": "suite.data.storage.rows"}

__all__ = ["LazyRows", "Reader", "all_cards", "find_card", "fingerprint", "folders", "is_available", "load"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
