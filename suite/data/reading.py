"""From the name of a reader in a card to its functions and to the fingerprint of its source."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from suite.errors import UsageError
from suite.spec.card import DatasetCard


def _address(card: DatasetCard) -> tuple[str, str]:
    """Module (or file beside the card) and function name of the card's reader."""
    place, _, function = card.reader.partition(":")
    if not function:
        home = "suite.data" if place.startswith("planted.") else "suite.data.readers"
        place = f"{home}.{place}"
    return place, function or "read"


def reader_module(card: DatasetCard) -> ModuleType:
    """The module that reads ``card``; raises :class:`UsageError` when there is none."""
    place, _ = _address(card)
    try:
        return _module_from_file(_beside(card, place)) if place.endswith(".py") else importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and not place.startswith(error.name):
            raise  # the reader is there; something it imports is not
        raise UsageError(f"{card.name}: there is no reader '{card.reader}'; correct 'reader' in {card.path}.") from None


def reader_function(card: DatasetCard, name: str = "") -> Any:
    """The reader's function ``name`` (the card's own by default), or None where the module has no such function."""
    _, default = _address(card)
    found = getattr(reader_module(card), name or default, None)
    if found is None and not name:
        raise UsageError(
            f"{card.name}: reader '{card.reader}' has no function '{default}'; add it or correct the card."
        )
    return found


def _beside(card: DatasetCard, place: str) -> Path:
    return (card.path.parent if card.path else Path.cwd()) / place


def _module_from_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"suite_reader_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise UsageError(f"there is no reader file {path}; correct 'reader' in the card beside it.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def reader_source(card: DatasetCard) -> str | Path:
    """The module that holds the card's reader, or the path of a reader in a file of its own."""
    place, _ = _address(card)
    return _beside(card, place) if place.endswith(".py") else place
