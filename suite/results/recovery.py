"""Rows that the log of a table does not know any more, taken again from its data files.

A commit names files and says little else; what a run recorded stands in the files. Where a commit is damaged, those
after it cannot be followed either, but nothing of what they added is lost.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from suite.results.checksums import LOG, sha256
from suite.results.store import Store


def recover(store: Store, aside: Iterable[Path], known: Mapping[str, str]) -> int:
    """Append what the table's data files hold and its log does not; returns the number of attempts.

    ``aside`` are the files of the log that were set aside, ``known`` the checksums as they were before. A data file
    counts if its checksum is known, which only committed ones have, and if no whole commit among ``aside`` removes it.
    Rows of an attempt are taken once: it was written into one file, and copied as a whole by compactions. Runs come
    back that only a damaged commit deleted.
    """
    folder = Path(store.uri)
    dead = set(store.paths()) | {folder / name for name in _removed(aside, known)}
    files = [path for path in folder.glob("*.parquet") if path not in dead and _whole(path, known)]
    held = set(store.read(lambda rows: rows.select("attempt").unique())["attempt"]) if store.exists else set()
    before = len(held)
    for path in sorted(files, key=lambda path: (path.stat().st_mtime_ns, path.name)):
        rows = _new(store.rows_of([path]), held)
        if len(rows):
            store.append(rows.to_arrow().cast(store.schema))
            held |= set(rows["attempt"])
    return len(held) - before


def _new(rows: pl.DataFrame, held: Collection[str]) -> pl.DataFrame:
    return rows.filter(~pl.col("attempt").is_in(sorted(held)))


def _whole(path: Path, known: Mapping[str, str]) -> bool:
    with suppress(OSError):
        return known.get(path.name) == sha256(path)
    return False


def _removed(aside: Iterable[Path], known: Mapping[str, str]) -> set[str]:
    """The data files that the whole ones of some commits remove."""
    found = set()
    for path in aside:
        if path.suffix == ".json" and known.get(f"{LOG}/{path.name}") == sha256(path):
            for line in path.read_text(encoding="utf-8").splitlines():
                if action := json.loads(line).get("remove"):
                    found.add(unquote(action["path"]))
    return found
