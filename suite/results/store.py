"""One Delta table of the ledger: created on first use, appended to by many writers, read through polars."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from suite.errors import SuiteError
from suite.results.checksums import Checksums
from suite.results.location import is_uri
from suite.results.native import held_back
from suite.results.schema import ADDED, SCHEMA_VERSION, TABLES

logger = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")
Query = Callable[[pl.LazyFrame], pl.LazyFrame]
REMEDY = "`suite results repair` sets damaged files aside and says which runs to do again."

TIDY_EVERY = 100  # commits
_TARGET = 32 * 2**20  # bytes of a merged file
_TRIES = 40
_COMMIT = CommitProperties(max_commit_retries=100)
_WRITER = WriterProperties(compression="ZSTD")
_BATCH = 200  # names in one SQL predicate
_DESCRIPTION = f"ledger of the weak-action-suite, schema {SCHEMA_VERSION}"


class Store:
    """The table ``name`` under ``uri``; each operation is one atomic commit, retried when another writer was faster."""

    def __init__(self, uri: str, name: str, options: Mapping[str, str] | None = None) -> None:
        self.uri, self.name = f"{uri.rstrip('/')}/{name}", name
        self.options = dict(options or {})
        self.schema = TABLES[name]
        self._table: DeltaTable | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_table": None}  # a handle belongs to its process

    def open(self) -> DeltaTable | None:
        """The table at its newest version, or None while nothing was written."""
        if self._table is None:
            self._table = self._checked(self._find)
        else:
            self._checked(self._table.update_incremental)
        return self._table

    def append(self, rows: pa.Table) -> None:
        """Add ``rows`` in one commit, in their order."""
        # Chunks of a table are written side by side and may change places: a run's curve is a course in time.
        self._checked(partial(_retried, partial(self._append, rows.combine_chunks())), "write")

    def delete(self, column: str, values: Iterable[str]) -> None:
        """Remove the rows whose ``column`` (of safe names: ids) is one of ``values``."""
        table, names = self.open(), sorted(values)
        # In parts, so that no predicate grows with the ledger.
        for start in range(0, len(names) if table else 0, _BATCH):
            listed = ", ".join(f"'{_safe(name)}'" for name in names[start : start + _BATCH])
            self._checked(partial(_retried, partial(self._delete, f"{column} in ({listed})")), "write")

    def compact(self, keep_hours: float) -> None:
        """Rewrite many small files as few and drop files that no version of ``keep_hours`` needs."""
        if self.open():
            self._checked(partial(_retried, partial(self._compact, keep_hours)), "write")

    def read(self, query: Query = lambda rows: rows) -> pl.DataFrame:
        """What ``query`` makes of the rows; columns that an older schema lacked are blank.

        Raises :class:`SuiteError` for a table or data file that is damaged or missing.
        """
        try:
            with held_back():
                return query(self._scan()).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            said = " ".join(str(error).split())
            raise SuiteError(f"the ledger table {self.uri} is damaged ({said[:200]}); {REMEDY}") from None

    def _scan(self) -> pl.LazyFrame:
        table = self.open()
        if table is None or not table.file_uris():
            return pl.LazyFrame(schema=_polars(self.schema))
        if is_uri(self.uri):
            rows = pl.scan_delta(table, storage_options=self.options or None)
        else:  # by decoded paths: scan_delta opens `file://` addresses as they are, with `%20` for a blank
            rows = pl.scan_parquet(
                _paths(table),
                glob=False,
                hive_partitioning=False,
                schema=_polars(self.schema),
                missing_columns="insert",
            )
        held = rows.collect_schema().names()
        for name, blank in ADDED.get(self.name, {}).items():
            filled = pl.lit(blank, dtype=_polars(self.schema)[name])
            rows = rows.with_columns((pl.col(name).fill_null(filled) if name in held else filled).alias(name))
        return rows.select(self.schema.names)

    @property
    def exists(self) -> bool:
        """Whether anything was ever written."""
        return self.open() is not None

    @property
    def files(self) -> int:
        """How many data files the newest version has."""
        table = self.open()
        return len(table.file_uris()) if table else 0

    def _find(self) -> DeltaTable | None:
        if not DeltaTable.is_deltatable(self.uri, self.options):
            return None
        table = DeltaTable(self.uri, storage_options=self.options)
        self._check_version(_version(table))
        return table

    def _check_version(self, version: int) -> None:
        if 1 <= version <= SCHEMA_VERSION:
            return
        remedy = "upgrade the suite" if version > SCHEMA_VERSION else "export it with the suite that wrote it"
        raise SuiteError(
            f"the ledger table {self.uri} has schema {version} and this suite reads 1 to {SCHEMA_VERSION}; "
            f"{remedy}, or choose another folder with --out."
        )

    def _append(self, rows: pa.Table) -> None:
        if self._table is None:
            self._table = self._find() or self._create()
        before = self._data_files(self._table)
        try:
            self._upgrade(self._table)
            write_deltalake(self._table, rows, mode="append", writer_properties=_WRITER, commit_properties=_COMMIT)
        except CommitFailedError:
            self._table = None  # another writer created or upgraded the table at the same time: look again
            raise
        self._tidy(self._table)
        self._sum(self._table, before)

    def _data_files(self, table: DeltaTable) -> set[Path]:
        return set() if is_uri(self.uri) else set(_paths(table))

    def _sum(self, table: DeltaTable | None, before: set[Path]) -> None:
        """Record checksums of the data files that are new since ``before``."""
        if table is not None and not is_uri(self.uri):
            Checksums(Path(self.uri)).add(sorted(self._data_files(table) - before))

    def _upgrade(self, table: DeltaTable) -> None:
        """Give a table of an older schema the columns that it lacks, and the version that older suites refuse."""
        if _version(table) < SCHEMA_VERSION:
            table.alter.add_columns(Schema.from_arrow(self.schema).fields)  # those that it has stay as they are
            table.update_incremental()
            table.alter.set_table_description(_DESCRIPTION)
            table.update_incremental()

    def _create(self) -> DeltaTable:
        try:
            return DeltaTable.create(
                self.uri, self.schema, "ignore", name=self.name, description=_DESCRIPTION, storage_options=self.options
            )
        except DeltaError:
            table = self._find()  # another writer created it in between
            if table is None:
                raise
            return table

    def _delete(self, predicate: str) -> None:
        table = self.open()
        if table is not None:
            table.delete(predicate, commit_properties=_COMMIT)

    def _compact(self, keep_hours: float) -> None:
        table = self.open()
        if table is None:
            return
        before = self._data_files(table)
        self._merge(table)
        table.vacuum(int(keep_hours), dry_run=False, enforce_retention_duration=False, full=True)
        table.create_checkpoint()
        self._sum(table, before)
        if not is_uri(self.uri):
            Checksums(Path(self.uri)).keep({path.name for path in self._data_files(table)})

    def _merge(self, table: DeltaTable) -> None:
        """Small files as few, in the order in which they were written: rows of a run are a course in time."""
        if len(table.file_uris()) > 1:
            table.optimize.compact(target_size=_TARGET, writer_properties=_WRITER, commit_properties=_COMMIT)

    def _tidy(self, table: DeltaTable) -> None:
        """Every so many commits, by whoever made the last of them: opening and reading stay as fast as at first.

        Files that were merged stay for those who are reading them. Nothing depends on it, so a failure is no error.
        """
        if table.version() % TIDY_EVERY:
            return
        try:
            self._merge(table)
            table.create_checkpoint()
        except (DeltaError, OSError) as error:  # another writer deletes or compacts, or the disk is full
            logger.debug("%s was not tidied: %s", self.uri, error)
            self._table = None

    def _checked(self, act: Callable[[], ResultT], verb: str = "read") -> ResultT:
        """``act()``; a failure of the store is raised as a :class:`SuiteError` of one sentence."""
        try:
            with held_back():
                return act()
        except (DeltaError, OSError, TableNotFoundError) as error:
            self._table = None
            said = " ".join(re.sub(r"\x1b\[\d+m", "", str(error)).split())
            said = said.partition(" 0: <")[0]  # no stack of the library
            where = f"cannot {verb} the ledger table {self.uri}"
            remedy = REMEDY if verb == "read" else "check the folder, or choose another with --out."
            raise SuiteError(f"{where} ({said[:300]}); {remedy}") from error


def _retried(act: Callable[[], ResultT]) -> ResultT:
    """``act()``, again after a short random pause whenever another writer's commit came first."""
    # Pauses are random, so that writers which collided once do not collide again in step.
    for attempt in range(_TRIES):
        try:
            return act()
        except CommitFailedError:
            if attempt == _TRIES - 1:
                raise
            time.sleep(random.uniform(0, min(1.0, 0.02 * 1.5**attempt)))
    raise AssertionError("unreachable")


def _polars(schema: pa.Schema) -> pl.Schema:
    """The columns of a table as polars types."""
    # Not schema.empty_table(): arrays that pyarrow makes from Python values import pandas, which takes half a second.
    empty = pl.from_arrow(pa.Table.from_batches([], schema=schema))
    assert isinstance(empty, pl.DataFrame)
    return empty.schema


def _paths(table: DeltaTable) -> list[Path]:
    """The data files of a table on a local disk."""
    return [Path(unquote(address.removeprefix("file://"))) for address in table.file_uris()]


def _version(table: DeltaTable) -> int:
    """The schema that the table's description states (0: none)."""
    found = re.search(r"schema (\d+)", table.metadata().description or "")
    return int(found.group(1)) if found else 0


def _safe(name: str) -> str:
    if not re.fullmatch(r"[\w.:-]+", name):
        raise SuiteError(f"'{name}' cannot be the id of a run; ids are letters, digits and -_.: .")
    return name
