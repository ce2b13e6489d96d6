"""From the name of a reader in a card to the reader: what it must declare, and where it is found."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.errors import UsageError
from suite.hyper import Value
from suite.plugins import load_file
from suite.spec.card import DatasetCard
from suite.tasks.data import TaskData

Read = Callable[[DatasetCard, Path, Mapping[str, Value], str], TaskData[Any]]
OnOpen = Callable[[TaskData[Any], Mapping[str, Value]], TaskData[Any]]
Counts = Callable[[DatasetCard, Path, TaskData[Any]], Mapping[str, int | float]]
DECLARED = "READER"  # what a shipped module calls its reader


@dataclass(frozen=True)
class Reader:
    """How a dataset is read.

    ``read(card, folder, dials, task)`` makes the splits, which are packed once. ``on_open(data, dials)`` is called each
    time they are opened, with all dials (``split_seed``, ``label_seed`` and ``noise_seed``: the run's seed where they
    are -1), before the task withholds or spoils labels; where it changes features it says by what in
    ``facts["features_of"]``, since neighbours found among them are kept on disk. ``counts(card, folder, data)`` counts
    what a card states beside samples, units and labels.

    Raises :class:`UsageError` for a function that does not take these arguments.
    """

    read: Read
    on_open: OnOpen | None = None
    counts: Counts | None = None

    def __post_init__(self) -> None:
        wanted = {"read": ("card", "folder", "dials", "task"), "on_open": ("data", "dials")}
        for name, arguments in (wanted | {"counts": ("card", "folder", "data")}).items():
            function = getattr(self, name)
            if function is not None and not _takes(function, len(arguments)):
                raise UsageError(f"a reader's '{name}' must be a function of {', '.join(arguments)}; correct it.")


def _takes(function: object, count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))  # type: ignore[arg-type]
    except TypeError:
        return False
    return True


def find_reader(card: DatasetCard) -> Reader:
    """The reader that ``card`` names: a :class:`Reader`, or a function that does all there is to do.

    Raises :class:`UsageError` when there is none.
    """
    place, name = _address(card)
    module = _module(card, place)
    found = getattr(module, name, None)
    if found is None:
        raise UsageError(f"{card.name}: there is no '{name}' in reader '{card.reader}'; add it or correct the card.")
    if isinstance(found, Reader):
        return found
    if more := [hook for hook in ("late", "on_open", "counts") if hasattr(module, hook)]:
        raise UsageError(
            f"{card.name}: reader '{card.reader}' does not use {more[0]}(); declare {DECLARED} = Reader({name}, ...) "
            "with it, and name that in the card."
        )
    return Reader(found)


def reader_source(card: DatasetCard) -> str | Path:
    """The module that holds the card's reader, or the path of a reader in a file of its own."""
    place, _ = _address(card)
    return _beside(card, place) if place.endswith(".py") else place


def _address(card: DatasetCard) -> tuple[str, str]:
    """Module (or file beside the card) of the card's reader, and its name there."""
    place, _, name = card.reader.partition(":")
    if not name and not place.endswith(".py"):
        home = "suite.data" if place.startswith("planted.") else "suite.data.readers"
        place = f"{home}.{place}"
    return place, name or DECLARED


def _module(card: DatasetCard, place: str) -> Any:
    if place.endswith(".py"):
        return load_file(_beside(card, place))
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and not place.startswith(error.name):
            raise  # the reader is there; something it imports is not
        raise UsageError(f"{card.name}: there is no reader '{card.reader}'; correct 'reader' in {card.path}.") from None


def _beside(card: DatasetCard, place: str) -> Path:
    return (card.path.parent if card.path else Path.cwd()) / place
