"""Which files a plan lacks, by dataset: what to put where, and from where it comes, as the cards say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from suite.data import find_card
from suite.data.storage.files import dataset_folder, find, missing
from suite.spec.board import BoardRun
from suite.spec.card import DatasetCard, FileSpec


@dataclass(frozen=True)
class File:
    """One missing file (or pattern of files): where it belongs, what it is, where to get it.

    ``optional`` for all of the runs that wait; ``condition`` says with what it is needed.
    """

    path: Path
    about: str
    source: str
    optional: bool
    condition: str = ""


@dataclass(frozen=True)
class Lack:
    """What one dataset lacks: how many runs wait for it, its files, and how to obtain them in the card's words."""

    dataset: str
    runs: int
    files: tuple[File, ...]
    obtain: str


def lacks(asked: Iterable[BoardRun], root: Path | None) -> list[Lack]:
    """What is missing below ``root`` for runs that cannot be done here, by dataset."""
    waiting: dict[str, list[BoardRun]] = {}
    for one in asked:
        if one.blocked:
            waiting.setdefault(one.spec.dataset, []).append(one)
    return [_lack(find_card(name), runs, root) for name, runs in waiting.items()]


def _lack(card: DatasetCard, runs: list[BoardRun], root: Path | None) -> Lack:
    folder = dataset_folder(card, root).absolute()
    settings = [{**one.spec.dials, **one.spec.params} for one in runs]
    needed = missing(card, folder)
    optional = [file for file in card.files if file.optional and not find(file, folder)]
    some = [file for file in optional if any(file.needed_with(own) for own in settings)]
    named = {str(value) for one in runs for value in one.spec.params.values()} & set(card.weights)
    weights = [card.weights[name] for name in sorted(named) if not find(card.weights[name], folder)]
    files = [_file(file, folder, optional=False) for file in (*needed, *some, *weights)]
    files += [_file(file, folder, optional=True) for file in optional if file not in some]
    asked = len({one.spec.canonical_json() for one in runs})  # one run may stand in several tables
    return Lack(card.name, asked, tuple(files), card.obtain or f"see {card.source}")


def _file(file: FileSpec, folder: Path, optional: bool) -> File:
    size = [f"{file.size:,} bytes"] if file.size is not None else []
    count = [f"{file.count} files"] if file.count is not None else []
    digest = [f"SHA-256 {file.sha256}"] if file.sha256 else []
    exact = "; ".join([*size, *count, *digest])
    about = " ".join(filter(None, (file.note, f"({exact})" if exact else "")))
    return File(folder / file.path, about, file.url, optional, file.condition)
