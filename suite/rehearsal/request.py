"""What is asked of a rehearsal pack: which card, how large, where, and the dials of its world."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

import numpy as np

from suite.data import find_card
from suite.data.storage.files import dataset_folder
from suite.data.storage.generated import MARK
from suite.errors import UsageError, did_you_mean
from suite.hyper import Value
from suite.rehearsal.dials import DIALS
from suite.spec.card import DatasetCard

Step = Callable[[int], None]  # called with the bytes that were written
VERSION = 3  # of the generator: what it writes for the same request never changes silently
STREAMS = 3  # the version whose draws these are


@dataclass(frozen=True)
class Request:
    """One pack as asked for: ``source`` may hold real annotations, ``folder`` is where the pack goes.

    ``videos`` None: as many as were published, 0: the small default; ``channels`` likewise.
    """

    card: DatasetCard
    source: Path
    folder: Path
    videos: int | None = 0
    channels: int | None = 0
    seed: int = 0
    dials: Mapping[str, Value] = field(default_factory=dict)

    def generator(self, *stream: int) -> np.random.Generator:
        """A stream of its own for each card, purpose and item: how many items there are never changes one of them."""
        return np.random.Generator(np.random.PCG64([STREAMS, crc32(self.card.name.encode()), self.seed, *stream]))

    def width(self, published: int, small: int) -> int:
        """The feature width asked for; raises :class:`UsageError` for one that two modalities cannot share."""
        channels = published if self.channels is None else self.channels or small
        if channels < 4 or channels % 2:
            raise UsageError(
                f"{self.card.name}: {channels} channels cannot be halved into RGB and flow; give an even number, at "
                "least 4."
            )
        return channels

    def amount(self, published: int, small: int) -> int:
        """How many videos are asked for, at most those that were published."""
        return published if self.videos is None else min(published, self.videos or small)

    def about(self) -> dict[str, Any]:
        """What the mark of the pack states of this request."""
        return {"card": self.card.name, "generator": VERSION, "seed": self.seed, "dials": dict(self.dials)}


class Draft(Protocol):
    """A pack that could be written: ``size`` of its files and of what is ``packed``, in bytes; ``holds`` in words."""

    @property
    def size(self) -> int:
        """About how many bytes the pack takes."""

    @property
    def packed(self) -> int:
        """About how many bytes its features take once more, below the output folder, when they are packed to train."""

    @property
    def holds(self) -> str:
        """What the pack holds, in a few words: videos, channels, whose annotations."""

    def write(self, folder: Path, step: Step) -> None:
        """Write all files below ``folder``, which is empty."""


def request(
    name: str,
    source: Path | None,
    to: Path,
    *,
    full: bool = False,
    videos: int | None = None,
    channels: int | None = None,
    seed: int = 0,
    dials: Mapping[str, Any] | None = None,
) -> Request:
    """The pack of the card called ``name``, written below ``to``, with real annotations from below ``source``.

    Raises :class:`UsageError` for a dataset that has no rehearsal, and for dials and sizes that do not exist.
    """
    card = find_card(name)
    known = DIALS.get(card.reader)
    if known is None:
        raise UsageError(f"{name} {_no_rehearsal(card)}")
    if videos is not None and videos < 4:
        raise UsageError(f"{name}: {videos} videos cannot train, validate and test; give at least 4.")
    for dial in dials or {}:
        if dial not in known:
            raise UsageError(f"a rehearsal of {name} has no dial '{dial}'{did_you_mean(dial, known)}")
    resolved = {dial: one.check((dials or {}).get(dial, one.default), dial, name) for dial, one in known.items()}
    size = {"videos": videos or (None if full else 0), "channels": channels or (None if full else 0)}
    return Request(card, dataset_folder(card, source), to / card.folder, seed=seed, dials=resolved, **size)


def can_rehearse(name: str) -> bool:
    """Whether a rehearsal pack of the dataset can be written."""
    return find_card(name).reader in DIALS


def at_hand(asked: Request, *names: str) -> Path | None:
    """The first of ``names`` (files or folders) that is below the real data: in the card's folder, or in any other.

    What lies in a rehearsal pack is generated, and is not taken.
    """
    places = [asked.source, *sorted(path for path in asked.source.parent.glob("*") if path.is_dir())]
    real = [place for place in places if not (place / MARK).exists()]
    return next((place / name for place in real for name in names if (place / name).exists()), None)


def _no_rehearsal(card: DatasetCard) -> str:
    if card.kind == "planted":
        return "is generated already; train on it as it is."
    if any(file.url for file in card.files):
        return f"needs no rehearsal: its data can be had with 'suite data get {card.name}'."
    served = ", ".join(DIALS)
    return f"has the reader '{card.reader}', whose layout no rehearsal writes (they write {served})."
