"""Does what is on disk agree with the card? Every file and every stated count, with what exactly differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.data.loading import DatasetRequest, open_dataset
from suite.data.reading import reader_function
from suite.data.samples import Clips, TaskData, Videos
from suite.data.storage.files import fault, find, missing
from suite.data.storage.store import verify_store
from suite.errors import DataError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Finding:
    """One comparison: ``what`` was looked at, what the card states, what was found, whether they agree."""

    what: str
    stated: str
    found: str
    agrees: bool


def verify(asked: DatasetRequest) -> list[Finding]:
    """Compare files, packed features, splits and counts with the card; counts need the files to be right."""
    findings = list(_files(asked))
    if not all(finding.agrees for finding in findings):
        return findings
    try:
        data = open_dataset(asked)
        measured = measure(data) | _reader_counts(asked, data)
    except DataError as error:
        return [*findings, Finding("reading", "readable", str(error), False)]
    whole = verify_store(asked.store_folder())
    findings.append(Finding("packed features", "as written", "as written" if whole else "changed since", whole))
    return findings + list(_counts(asked, measured))


def _files(asked: DatasetRequest) -> Iterator[Finding]:
    absent = {file.path for file in missing(asked.card, asked.folder)}
    for file in asked.card.files:
        paths = find(file, asked.folder)
        if file.path in absent:
            yield Finding(file.path, "present", f"missing from {asked.folder}", False)
        elif paths and file.count is not None and len(paths) != file.count:
            yield Finding(file.path, f"{file.count} files", f"{len(paths)} files", False)
        elif paths:
            faults = [f"{path.name} {text}" for path in paths if (text := fault(file, path, asked.cache))]
            stated = "size and SHA-256" if file.sha256 else "size" if file.size is not None else "present"
            yield Finding(file.path, stated, faults[0] if faults else "as stated", not faults)


def _counts(asked: DatasetRequest, measured: dict[str, int | float]) -> Iterator[Finding]:
    stated: dict[str, int | float] = dict(asked.card.counts)
    stated |= {split: count for split in SPLITS if (count := getattr(asked.card.splits, split)) is not None}
    if asked.card.layout.channels is not None:
        stated["channels"] = asked.card.layout.channels
    for name, value in stated.items():
        found = measured.get(name)
        agrees = found is not None and abs(found - value) <= 1e-9 * max(1, abs(value))
        yield Finding(name, f"{value:,}", "not measured by the reader" if found is None else f"{found:,}", agrees)


def _reader_counts(asked: DatasetRequest, data: TaskData[Any]) -> dict[str, int | float]:
    count = reader_function(asked.card, "counts")
    return dict(count(asked.card, asked.folder, data)) if count is not None else {}


def measure(data: TaskData[Any]) -> dict[str, int | float]:
    """What can be counted in any dataset: classes, channels, samples, units and segments, in all and by split."""
    measured: dict[str, int | float] = {"classes": len(data.classes)}
    for split in SPLITS:
        samples = data.split(split)
        features = samples.rows if isinstance(samples, Videos) else samples.features
        measured[split] = len(samples)
        measured[f"{split}_units"] = len(np.unique(samples.unit))
        if isinstance(samples, Videos):
            measured[f"{split}_segments"] = len(samples.segments)
            measured[f"{split}_snippets"] = len(samples.rows)
        measured["channels"] = int(features.shape[1])
    measured["samples"] = sum(len(data.split(split)) for split in SPLITS)
    if isinstance(data.train, Videos):
        measured["segments"] = sum(len(data.split(split).segments) for split in SPLITS)
    else:
        tables = [_label_table(data.split(split)) for split in SPLITS]
        measured["labels_per_sample"] = round(sum(t.sum() for t in tables) / max(1, sum(map(len, tables))), 3)
    return measured


def _label_table(samples: Any) -> np.ndarray:
    return np.asarray(samples.truth if isinstance(samples, Clips) else samples.labels)


def summary(asked: DatasetRequest, findings: list[Finding], shown: int = 3) -> str:
    """One sentence on what differs, ``shown`` differences at most; empty when everything agrees."""
    wrong = [finding for finding in findings if not finding.agrees]
    if not wrong:
        return ""
    said = [_difference(finding) for finding in wrong[:shown]]
    if len(wrong) > shown:
        said.append(f"{len(wrong) - shown} more differences")
    fetched = any(file.url for file in missing(asked.card, asked.folder))
    remedy = f"fetch files with 'suite data get {asked.card.name}', " if fetched else ""
    return f"{asked.card.name}: {'; '.join(said)}; {remedy}replace those that are wrong or correct {asked.card.path}."


def _difference(finding: Finding) -> str:
    stated = "" if finding.stated in ("present", "readable") else f" where the card states {finding.stated}"
    return f"{finding.what} is {finding.found}{stated}" if finding.what != "reading" else finding.found.rstrip(".")
