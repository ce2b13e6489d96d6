"""From a dataset's name to what names its arrays: card, dials, folders and fingerprint; nothing of it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.data.reading import reader_source
from suite.data.storage import generated
from suite.data.storage.cards import find_card
from suite.data.storage.files import checked_hashes, dataset_folder
from suite.environment import OUTPUTS
from suite.errors import UsageError
from suite.hyper import Value
from suite.identity.code import function_fingerprint, reader_fingerprint
from suite.spec.base import content_hash
from suite.spec.card import DatasetCard, parse_dataset_name
from suite.tasks import task


def cache_folder(cache: Path | None = None) -> Path:
    """Where packed datasets live: ``cache``, else ``cache/data`` below ``SUITE_OUTPUTS`` or ``outputs``.

    Only a local disk can be mapped: where outputs are remote (``s3://…``), packed datasets stay below ``outputs``.
    """
    outputs = OUTPUTS.value or "outputs"
    return cache or Path("outputs" if "://" in outputs else outputs) / "cache" / "data"


@dataclass(frozen=True)
class DatasetRequest:
    """One dataset as asked for: card, task, protocol, resolved dials, and the folders to read from and pack into.

    A dataset without files of its own reads from ``cache``: what its reader renders lies beside the packed arrays.
    """

    card: DatasetCard
    task: str
    protocol: str
    dials: Mapping[str, Value]
    folder: Path
    cache: Path

    def read_dials(self) -> dict[str, Value]:
        """The dials that the packed arrays depend on."""
        own = self.card.dials
        return {name: value for name, value in self.dials.items() if name in own and own[name].stage == "read"}

    def store_key(self) -> str:
        """16 hexadecimal digits of everything that the packed arrays depend on.

        Raises :class:`DataError` where features should be generated ones and are not.
        """
        generated.require_marked(self.card, self.folder, self.dials)
        hashes = checked_hashes(self.card, self.folder, self.cache)
        source = reader_fingerprint(reader_source(self.card))
        form = function_fingerprint(task(self.task).settle)
        return content_hash(self.card.identity(), self.task, self.read_dials(), hashes, source, form)

    def store_folder(self) -> Path:
        """Where the packed arrays are, or will be."""
        return self.cache / f"{self.card.name}-{self.store_key()}"

    def fingerprint(self) -> str:
        """The store's key with the dials and the code that act on loading, and the protocol's settings."""
        split = function_fingerprint(task(self.task).withhold)
        return content_hash(self.store_key(), dict(self.dials), self.card.protocol(self.protocol), split)


def dataset_request(
    name: str,
    task: str = "",
    root: Path | None = None,
    cache: Path | None = None,
    protocol: str = "default",
    dials: Mapping[str, Any] | None = None,
) -> DatasetRequest:
    """Resolve ``name`` (with or without dials in brackets; ``dials`` are more of them) against the cards.

    A rehearsal pack is recognized by its mark, which sets the dial ``features=generated``.
    Raises :class:`UsageError` for an unknown dataset, dial, task or protocol, and for a dial's value it cannot take.
    """
    plain, given = parse_dataset_name(name)
    card = find_card(plain)
    card.protocol(protocol)
    resolved = card.resolve_dials({**given, **(dials or {})})
    packed = cache_folder(cache)
    folder = dataset_folder(card, root) if card.folder else packed
    resolved = generated.marked_dials(card, resolved, folder)
    return DatasetRequest(card, _served(card, task), protocol, resolved, folder, packed)


def _served(card: DatasetCard, asked: str) -> str:
    """The name of the task, which must act on the dials that the card gets by a word."""
    served = task(card.task(asked))
    if card.noise and card.noise != served.noise:
        remedy = f'write noise = "{served.noise}"' if served.noise else "leave 'noise' out"
        raise UsageError(f"{card.name}: {served.name} has no noise in {card.noise}; {remedy} in the card.")
    if card.annotators and not served.annotated:
        raise UsageError(f"{card.name}: {served.name} takes one annotator; leave 'annotators' out of the card.")
    return served.name


def fingerprint(name: str, task: str = "", root: Path | None = None, cache: Path | None = None, **more: Any) -> str:
    """The dataset's fingerprint, without reading or packing it (files are hashed once, then known by size and time)."""
    return dataset_request(name, task, root, cache, **more).fingerprint()
