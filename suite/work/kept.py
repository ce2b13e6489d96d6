"""Finished work that the ledger could not take: kept as files beside it or elsewhere, and recorded later.

A disk may be full, a folder read-only or a remote store out of reach when a training ends. Its rows are then written
where there is room, and the next command that works on the same outputs records them before it looks for what to do.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from suite.data.storage.locks import locked
from suite.errors import DataError, SuiteError
from suite.places import Places
from suite.results.checksums import sha256
from suite.results.ledger import Ledger
from suite.results.schema import Outcome, to_table
from suite.results.store import REMEDY
from suite.sealing import checked, with_check
from suite.work.kept_places import MODEL, kept, places_to_keep

logger = logging.getLogger(__name__)

LONG = ("metrics", "curves", "predictions")
ROW = "run.json"  # written last: a folder with it is a whole outcome


def record_or_keep(ledger: Ledger, outcomes: Sequence[Outcome], places: Places) -> None:
    """Record ``outcomes`` in one commit; where that fails, keep them and say where in a :class:`SuiteError`."""
    if not outcomes:
        return
    try:
        ledger.record_all(outcomes)
    except SuiteError as error:
        problem = str(error).rstrip(".")
        where = sorted({str(_keep(outcome, places, problem)) for outcome in outcomes})
        raise SuiteError(
            f"{problem}; what was trained is kept in {', '.join(where)}, the same command records it from there."
        ) from None


def ready(places: Places) -> Ledger:
    """The ledger of ``places``, after what earlier commands had to keep was recorded there.

    To be called before anything is trained: raises :class:`SuiteError` where nothing can be written, or too little.
    """
    places.require_writable()
    ledger = Ledger(places.ledger)
    if any(path.name.endswith(MODEL) for path in kept(places)):
        from suite.work.kept_models import take_up_models  # brings torch

        take_up_models(places)
    if recorded := record_kept(ledger, places):
        logger.info("recorded %d runs that an earlier command had to keep: %s", len(recorded), ", ".join(recorded[:4]))
    return ledger


def record_kept(ledger: Ledger, places: Places) -> list[str]:
    """Record what earlier commands had to keep; returns the runs. Raises :class:`SuiteError` where it still fails."""
    if not any(kept_outcomes(places)):
        return []
    recorded = []
    with locked(places.local / "kept"):
        finished = ledger.finished()
        for folder in kept_outcomes(places):
            try:
                outcome = read_kept(folder)
            except DataError as error:  # its run is done again; what is left of it stays until it is set aside
                logger.warning("%s", str(error).rstrip("."))
                continue
            if outcome.id not in finished:  # where a command died before the next line, it is there already
                ledger.record(outcome)
                recorded.append(outcome.id)
            shutil.rmtree(folder, ignore_errors=True)
            if outcome.run["status"] != "failed":
                places.checkpoint(outcome.id).unlink(missing_ok=True)
    return recorded


def _keep(outcome: Outcome, places: Places, problem: str) -> Path:
    """Write ``outcome`` to the first place that takes it; returns the place."""
    for place in places_to_keep(places):
        partial = place / f".{uuid.uuid4().hex}"
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write(outcome, partial)
            partial.rename(place / f"{outcome.id}-{uuid.uuid4().hex[:8]}")
        except OSError:
            shutil.rmtree(partial, ignore_errors=True)
        else:
            return place
    raise SuiteError(f"{problem}; nor is there another place to keep run {outcome.id}, which has to be trained again.")


def _write(outcome: Outcome, folder: Path) -> None:
    folder.mkdir()
    for name in LONG:
        pq.write_table(to_table(name, getattr(outcome, name), outcome.id, ""), folder / f"{name}.parquet")
    with (folder / ROW).open("w", encoding="utf-8") as file:
        row = {name: _plain(value) for name, value in outcome.run.items()}
        json.dump(with_check({"row": row, "files": _sums(folder)}), file)
        file.flush()
        os.fsync(file.fileno())


def read_kept(folder: Path) -> Outcome:
    """The outcome kept in ``folder``; raises :class:`DataError` for one that is not as it was written."""
    try:
        note = checked(json.loads((folder / ROW).read_text(encoding="utf-8")))
        row: Mapping[str, Any] = note["row"] if "files" in note else note  # without checksums by an earlier suite
        if note.get("files", {}) not in ({}, _sums(folder)):
            raise ValueError("a checksum is another: a table was changed later")
        tables = {name: _without_owner(pq.read_table(folder / f"{name}.parquet")) for name in LONG}
        return Outcome({**row, "started": datetime.fromisoformat(row["started"])}, **tables)
    except (OSError, ValueError, KeyError, TypeError) as error:  # pyarrow's own errors are of these kinds
        said = " ".join(str(error).split())
        raise DataError(f"what was kept of a run in {folder} cannot be read ({said[:200]}); {REMEDY}") from None


def _sums(folder: Path) -> dict[str, str]:
    """The SHA-256 of each table."""
    return {name: sha256(folder / f"{name}.parquet") for name in LONG}


def _without_owner(table: pa.Table) -> pa.Table:
    return table.drop_columns(["run", "attempt"])


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def kept_outcomes(places: Places) -> Iterator[Path]:
    """The folders of outcomes that were kept for these outputs."""
    return (path for path in kept(places) if (path / ROW).is_file())
