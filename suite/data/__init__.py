"""Datasets: cards, readers, planted worlds, and the memory-mapped store that every worker on a node shares."""

from __future__ import annotations

from suite.data.loading import fingerprint, load
from suite.data.reading import Reader
from suite.data.storage.cards import all_cards, find_card, folders
from suite.data.storage.files import is_available
from suite.data.storage.rows import LazyRows

__all__ = ["LazyRows", "Reader", "all_cards", "find_card", "fingerprint", "folders", "is_available", "load"]
