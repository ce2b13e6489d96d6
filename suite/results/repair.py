"""Repair of a ledger whose files are damaged: what cannot be read is set aside, and runs without numbers are named.

A Delta table is a log of commits beside data files. Either may be cut or missing after a crash of the machine, a full
disk or a mistaken command. What is left is kept; a finished run without metrics is forgotten, so that it runs again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import polars as pl
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from suite.errors import UsageError
from suite.results.checksums import Checksums, sha256
from suite.results.ledger import Ledger
from suite.results.location import is_uri

ASIDE = "quarantine"  # below the ledger
LOG = "_delta_log"


@dataclass
class Repaired:
    """Files that were set aside, tables of which nothing was left, and the rows of ``runs`` to do again."""

    files: list[str] = field(default_factory=list)
    lost_tables: list[str] = field(default_factory=list)
    again: pl.DataFrame = field(default_factory=pl.DataFrame)

    @property
    def whole(self) -> bool:
        """Whether there was nothing to repair."""
        return not (self.files or self.lost_tables or len(self.again))


def repair(ledger: Ledger) -> Repaired:
    """Set aside what cannot be read, and forget finished runs without metrics, so that they are run again.

    No other process may write meanwhile. Raises :class:`UsageError` for a ledger behind a URI.
    """
    if is_uri(ledger.folder):
        raise UsageError(f"{ledger.folder} is remote; copy it to a local folder, repair it there, and copy it back.")
    found = Repaired()
    for name, store in ledger.stores.items():
        folder = Path(store.uri)
        if folder.exists():
            found.files += [str(path) for path in _without_damage(folder, Path(ledger.folder) / ASIDE / name)]
            if not _opens(folder):
                _set_aside(folder, Path(ledger.folder) / ASIDE / f"{name}.lost")
                found.lost_tables.append(name)
    found.again = _without_metrics(Ledger(ledger.folder))
    ledger.delete(found.again["run"].to_list())
    return found


def _without_damage(folder: Path, aside: Path) -> Iterator[Path]:
    """Set aside the files of one table that cannot be read; yields where they lay."""
    # From the newest back: each version of a Delta table builds on all commits before it.
    while not _opens(folder) and (log := _newest_log(folder)) is not None:
        yield _set_aside(log, aside)  # the commits before it are whole, or follow it
    if not _opens(folder):
        return
    table, sums = DeltaTable(folder), Checksums(folder).known()
    for address in table.file_uris():
        path = Path(unquote(address.removeprefix("file://")))
        if path.exists() and not _whole(path, sums.get(path.name)):
            yield _set_aside(path, aside)
    yield from (folder / name for name in table.repair()["files_removed"] if not (aside / name).exists())


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
