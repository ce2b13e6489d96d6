"""Predictions that were made elsewhere as rows of boards: a file is scored here and recorded in the ledger."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from suite.data.request import dataset_request
from suite.errors import DataError, UsageError
from suite.places import Places
from suite.results import given
from suite.results.ledger import Ledger
from suite.results.provenance import provenance
from suite.results.schema import Outcome
from suite.scoring import Against, score_file
from suite.spec.base import canonical_json, content_hash
from suite.tasks.scoring.report import Report

CHUNK = 1 << 20


def add_file(
    path: Path, against: Against, label: str, seed: int, ledger: Ledger, places: Places
) -> tuple[str, str, Report]:
    """Score the file at ``path`` as ``suite evaluate`` does and record its numbers under ``label``.

    Returns the run's id, the file's form and its score. A file added again under the same label, dataset, protocol and
    seed takes the place of the one before. The file itself is not kept: its checksum is.

    Raises:
        UsageError: no label, a protocol that the dataset's card does not have, or what :func:`score_file` raises.
        DataError: a file that cannot be scored.
    """
    if not label.strip():
        raise UsageError("a row needs a name: give --label.")
    if against.card is None:
        raise UsageError("a row of a board belongs to a dataset: give --dataset.")
    asked = dataset_request(against.dataset, "", places.root, places.cache, against.protocol or "default")
    form, report = score_file(path, against, places)
    dataset = asked.card.label(asked.dials)
    row = {
        **provenance(),
        "run": content_hash("file", label, dataset, asked.protocol, seed),
        "method": f"{given.METHOD}{label}",
        "title": label,
        "task": asked.task,
        "dataset": dataset,
        "protocol": asked.protocol,
        "seed": seed,
        "params": canonical_json({"file": path.name, "form": form, "sha256": _checksum(path)}),
        "status": "finished",
        "started": datetime.now(UTC),
        "seconds": 0.0,
        "fingerprint": _fingerprint(asked),
        "group": given.GROUP,
    }
    ledger.record(Outcome(run=row, metrics=_rows(report)))
    return str(row["run"]), form, report


def _rows(report: Report) -> list[dict[str, Any]]:
    """The score as rows of ``metrics``, under the selection of files."""
    base = {"split": "test", "selection": given.SELECTION, "label": ""}
    names = ("metric", "threshold", "value")
    overall = [{**base, **{name: row[name] for name in names}} for row in report.metrics]
    classes = [
        {**base, "metric": "AP", "threshold": None, "label": str(row["class"]), "value": float(row["AP"])}
        for row in report.classes
    ]
    return overall + classes


def _fingerprint(asked: Any) -> str:
    """The fingerprint of the dataset; empty where only its annotations are here."""
    try:
        return str(asked.fingerprint())
    except DataError:
        return ""


def _checksum(path: Path) -> str:
    """The SHA-256 of a file, or of all files of a folder with their names."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if not file.is_file():
            continue
        digest.update(file.relative_to(path).as_posix().encode() if path.is_dir() else b"")
        with file.open("rb") as stream:
            while block := stream.read(CHUNK):
                digest.update(block)
    return digest.hexdigest()
