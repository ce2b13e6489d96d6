"""Does what is on disk agree with the card? Every file and every stated count, with what exactly differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.data.loading import open_dataset
from suite.data.reading import find_reader
from suite.data.request import DatasetRequest
from suite.data.storage.files import as_written, fault, find, missing
from suite.data.storage.generated import find_mark
from suite.data.storage.store import verify_store
from suite.errors import DataError
from suite.tasks import task
from suite.tasks.data import SPLITS, TaskData


@dataclass(frozen=True)
class Agreement:
    """One comparison: ``what`` was looked at, what the card states, what was found, whether they agree."""

    what: str
    stated: str
    found: str
    agrees: bool


def verify(asked: DatasetRequest) -> list[Agreement]:
    """Compare files, packed features, splits and counts with the card; counts need the files to be right."""
    comparisons = list(_files(asked))
    if not all(one.agrees for one in comparisons):
        return comparisons
    try:
        data = open_dataset(asked)
        measured = measure(data) | _reader_counts(asked, data)
    except DataError as error:
        return [*comparisons, Agreement("reading", "readable", str(error), False)]
    whole = verify_store(asked.store_folder())
    comparisons.append(Agreement("packed features", "as written", "as written" if whole else "changed since", whole))
    return comparisons + list(_counts(asked, measured))


def _files(asked: DatasetRequest) -> Iterator[Agreement]:
    absent = {file.path for file in missing(asked.card, asked.folder)}
    mark = find_mark(asked.card, asked.folder)
    for file in asked.card.files:
        if mark and file.path in mark.files:
            file = as_written(file, mark.files[file.path])
        paths = find(file, asked.folder)
        if file.path in absent:
            yield Agreement(file.path, "present", f"missing from {asked.folder}", False)
        elif paths and file.count is not None and len(paths) != file.count:
            yield Agreement(file.path, f"{file.count} files", f"{len(paths)} files", False)
        elif paths:
            faults = [f"{path.name} {text}" for path in paths if (text := fault(file, path, asked.cache))]
            stated = "size and SHA-256" if file.sha256 else "size" if file.size is not None else "present"
            yield Agreement(file.path, stated, faults[0] if faults else "as stated", not faults)


def _counts(asked: DatasetRequest, measured: dict[str, int | float]) -> Iterator[Agreement]:
    if find_mark(asked.card, asked.folder):
        yield Agreement("counts", "of the published data", "a rehearsal pack: features are generated", True)
        return
    stated: dict[str, int | float] = dict(asked.card.counts)
    stated |= {split: count for split in SPLITS if (count := getattr(asked.card.splits, split)) is not None}
    if asked.card.layout.channels is not None:
        stated["channels"] = asked.card.layout.channels
    for name, value in stated.items():
        found = measured.get(name)
        agrees = found is not None and abs(found - value) <= 1e-9 * max(1, abs(value))
        yield Agreement(name, f"{value:,}", "not measured by the reader" if found is None else f"{found:,}", agrees)


def _reader_counts(asked: DatasetRequest, data: TaskData[Any]) -> dict[str, int | float]:
    count = find_reader(asked.card).counts
    return dict(count(asked.card, asked.folder, data)) if count is not None else {}


def measure(data: TaskData[Any]) -> dict[str, int | float]:
    """What can be counted in any dataset: classes, channels, samples, units, and what its task counts (segments)."""
    served = task(data.task)
    splits = {name: data.split(name) for name in SPLITS}
    measured: dict[str, int | float] = {"classes": len(data.classes)}
    measured["channels"] = int(getattr(data.test, served.features).shape[-1])
    totals = Counter({"samples": 0})
    for name, samples in splits.items():
        counts = served.counts(samples)
        totals.update({"samples": len(samples), **counts})
        measured |= {name: len(samples), f"{name}_units": len(np.unique(samples.unit))}
        measured |= {f"{name}_{what}": count for what, count in counts.items()}
    if "labels" in totals:
        measured["labels_per_sample"] = round(totals["labels"] / max(1, totals["samples"]), 3)
    return measured | totals


def summary(asked: DatasetRequest, comparisons: list[Agreement], shown: int = 3) -> str:
    """One sentence on what differs, ``shown`` differences at most; empty when everything agrees."""
    wrong = [one for one in comparisons if not one.agrees]
    if not wrong:
        return ""
    said = [_difference(one) for one in wrong[:shown]]
    if len(wrong) > shown:
        said.append(f"{len(wrong) - shown} more differences")
    fetched = any(file.url for file in missing(asked.card, asked.folder))
    remedy = f"fetch files with 'suite data get {asked.card.name}', " if fetched else ""
    return f"{asked.card.name}: {'; '.join(said)}; {remedy}replace those that are wrong or correct {asked.card.path}."


def _difference(one: Agreement) -> str:
    stated = "" if one.stated in ("present", "readable") else f" where the card states {one.stated}"
    return f"{one.what} is {one.found}{stated}" if one.what != "reading" else one.found.rstrip(".")
