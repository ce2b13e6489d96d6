"""Finding dataset cards: those shipped with the suite and those in a user's own folders."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from suite.declarations import shipped
from suite.environment import CARDS
from suite.errors import UsageError, did_you_mean
from suite.spec.card import DatasetCard, load_card


def folders() -> list[Path]:
    """Where cards are looked for: ``SUITE_DATASETS`` (several joined by the path separator), then the shipped cards."""
    own = [Path(part) for part in CARDS.paths()]
    for folder in own:
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a folder of dataset cards; correct --datasets or SUITE_DATASETS.")
    return [*own, shipped("datasets")]


def card_paths() -> dict[str, Path]:
    """Card name to file; a user's card hides a shipped one of the same name."""
    found: dict[str, Path] = {}
    for folder in folders():
        for path in sorted(folder.glob("*.toml")):
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def find_card(name: str) -> DatasetCard:
    """The card of the dataset called ``name``; raises :class:`UsageError` with the nearest known name."""
    # Asked thousands of times by a board: look for the one file instead of listing all.
    for path in _places(name, CARDS.value):
        with suppress(FileNotFoundError):
            return _card(path, path.stat().st_mtime_ns)
    raise UsageError(f"there is no dataset '{name}'{did_you_mean(name, card_paths())}")


@lru_cache(maxsize=256)
def _places(name: str, own: str) -> tuple[Path, ...]:
    """Where the card called ``name`` may lie, the folders of ``own`` first."""
    return tuple(folder / f"{name}.toml" for folder in folders()) if Path(name).name == name else ()


@lru_cache(maxsize=256)
def _card(path: Path, modified: int) -> DatasetCard:
    """A card read once as long as its file stays as it is: sweeps need the same one thousands of times."""
    return load_card(path)


def all_cards() -> list[DatasetCard]:
    """Every card, by name."""
    return [load_card(path) for path in card_paths().values()]
