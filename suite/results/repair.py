"""Repair of a ledger whose files are damaged: what cannot be read is set aside, and runs without numbers are named.

A Delta table is a log of commits beside data files. Either may be cut, missing or changed after a crash of the machine,
a full disk, a bad disk or a mistaken command. What is left is kept; rows whose commits are damaged are taken again from
the data files; a finished run without metrics is forgotten, so that it runs again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import polars as pl
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from suite.errors import UsageError
from suite.results import log
from suite.results.checksums import LOG, Checksums, sha256
from suite.results.ledger import Ledger
from suite.results.location import is_uri
from suite.results.recovery import recover
from suite.results.store import Store

ASIDE = "quarantine"  # below the ledger


@dataclass
class Repaired:
    """Files that were set aside, tables of which nothing was left, and the rows of ``runs`` to do again.

    ``recovered``: how many records of runs were taken again from data files.
    """

    files: list[str] = field(default_factory=list)
    lost_tables: list[str] = field(default_factory=list)
    recovered: int = 0
    again: pl.DataFrame = field(default_factory=pl.DataFrame)

    @property
    def whole(self) -> bool:
        """Whether there was nothing to repair."""
        return not (self.files or self.lost_tables or self.recovered or len(self.again))


def repair(ledger: Ledger) -> Repaired:
    """Set aside what cannot be read, and forget finished runs without metrics, so that they are run again.

    No other process may write meanwhile. Raises :class:`UsageError` for a ledger behind a URI.
    """
    if is_uri(ledger.folder):
        raise UsageError(f"{ledger.folder} is remote; copy it to a local folder, repair it there, and copy it back.")
    found = Repaired()
    for name, store in ledger.stores.items():
        if Path(store.uri).exists():
            _repair_table(Path(store.uri), Path(ledger.folder) / ASIDE / name, found)
    found.again = _without_metrics(Ledger(ledger.folder))
    ledger.delete(found.again["run"].to_list())
    return found


def _repair_table(folder: Path, aside: Path, found: Repaired) -> None:
    sums = Checksums(folder)
    known = sums.known()
    bad = list(_log_without_damage(folder, aside, known))
    found.files += map(str, bad)
    sums.forget(bad)
    if _opens(folder):
        found.files += map(str, _data_without_damage(folder, aside))
    if bad or not _opens(folder):
        found.recovered += recover(Store(str(folder.parent), folder.name), _commits(aside), known)
    if not _opens(folder):
        _set_aside(folder, aside.with_name(f"{folder.name}.lost"))
        found.lost_tables.append(folder.name)
        return
    _record_checksums(folder)


def _log_without_damage(folder: Path, aside: Path, known: Mapping[str, str]) -> Iterator[Path]:
    """Set aside the files of a table's log that are not as they were written, or cannot be read; yields where they lay.

    Each version of a Delta table builds on all commits since a checkpoint: what follows a damaged one goes with it.
    """
    files = log.files(folder) if (folder / LOG).is_dir() else []
    damaged = [path for path in files if known.get(f"{LOG}/{path.name}", "") not in ("", sha256(path))]
    bad = {path for path in damaged if path.suffix == ".parquet"}
    states = [log.version_of(path) or 0 for path in files if path.suffix == ".parquet" and path not in bad]
    needed = [version for path in damaged if (version := log.version_of(path) or 0) > max(states, default=-1)]
    first = min((v for v in needed if log.commit_file(folder, v) in damaged), default=None)
    bad |= set(damaged)
    if first is not None:
        bad |= {path for path in files if (log.version_of(path) or 0) >= first}
    pointer = folder / LOG / "_last_checkpoint"
    if pointer.exists() and any(path.suffix == ".parquet" for path in bad):
        bad.add(pointer)
    for path in sorted(bad):
        yield _set_aside(path, aside)
    # What has no checksum is tried from the newest back.
    while not _opens(folder) and (last := _newest_log(folder)) is not None:
        yield _set_aside(last, aside)


def _data_without_damage(folder: Path, aside: Path) -> Iterator[Path]:
    """Set aside the data files of a table that are not as they were written, or cannot be read; as above."""
    table, sums = DeltaTable(folder), Checksums(folder).known()
    for address in table.file_uris():
        path = Path(unquote(address.removeprefix("file://")))
        if path.exists() and not _whole(path, sums.get(path.name)):
            yield _set_aside(path, aside)
    yield from (folder / name for name in table.repair()["files_removed"] if not (aside / name).exists())


def _record_checksums(folder: Path) -> None:
    """Give a checksum to the files of a table that have none: they could be read."""
    sums = Checksums(folder)
    known, table = sums.known(), DeltaTable(folder)
    data = [Path(unquote(address.removeprefix("file://"))) for address in table.file_uris()]
    sums.add(path for path in [*data, *log.files(folder)] if sums.name(path) not in known)


def _commits(aside: Path) -> list[Path]:
    return sorted(aside.glob("*.json")) if aside.is_dir() else []


def _newest_log(folder: Path) -> Path | None:
    """The pointer to the last checkpoint, else the newest file of the log; None where there is none left."""
    pointer = folder / LOG / "_last_checkpoint"
    files = sorted(path for path in (folder / LOG).glob("*") if path.suffix in (".json", ".parquet"))
    return pointer if pointer.exists() else files[-1] if files else None


def _opens(folder: Path) -> bool:
    try:
        DeltaTable(folder).file_uris()
    except (DeltaError, TableNotFoundError, OSError, ValueError):
        return False
    return True


def _whole(path: Path, digest: str | None) -> bool:
    """Whether a data file is as it was committed, where its ``digest`` is known, and all of it can be read."""
    try:
        if digest is not None and sha256(path) != digest:
            return False
        pq.ParquetFile(path).read()
    except (OSError, ValueError):  # pyarrow's own errors are of these kinds
        return False
    return True


def _set_aside(path: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / path.name
    path.rename(target.with_name(f"{target.name}.{sum(1 for _ in folder.iterdir())}") if target.exists() else target)
    return path


def _without_metrics(ledger: Ledger) -> pl.DataFrame:
    """Finished runs of which no metric is left."""
    runs = ledger.runs().filter(status="finished")
    known = ledger.metrics()["run"].unique()
    return runs.filter(~pl.col("run").is_in(known.implode())).select("run", "method", "dataset", "seed")
