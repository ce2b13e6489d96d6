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

from suite.errors import DataError, SuiteError
from suite.results import log
from suite.results.checksums import Checksums
from suite.results.location import is_uri
from suite.results.native import held_back
from suite.results.schema import ADDED, SCHEMA_VERSION, TABLES

logger = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")
Query = Callable[[pl.LazyFrame], pl.LazyFrame]
State = tuple[set[Path], int]  # data files, version
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
            self._checked(self._look)
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
        else:
            self._checked(partial(self._require_whole, table))
            rows = self._scan_files(_paths(table))
        return self._filled(rows)

    def _scan_files(self, files: list[Path]) -> pl.LazyFrame:
        """Files by decoded paths: scan_delta opens `file://` addresses as they are, with `%20` for a blank."""
        schema = _polars(self.schema)
        return pl.scan_parquet(files, glob=False, hive_partitioning=False, schema=schema, missing_columns="insert")

    def _filled(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        held = rows.collect_schema().names()
        for name, blank in ADDED.get(self.name, {}).items():
            filled = pl.lit(blank, dtype=_polars(self.schema)[name])
            rows = rows.with_columns((pl.col(name).fill_null(filled) if name in held else filled).alias(name))
        return rows.select(self.schema.names)

    def rows_of(self, files: list[Path]) -> pl.DataFrame:
        """The rows of some data files of a local table, whether its log knows them or not."""
        return self._filled(self._scan_files(files)).collect()

    def paths(self) -> list[Path]:
        """The data files of the newest version of a local table."""
        table = self.open()
        return _paths(table) if table else []

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
        if not is_uri(self.uri):
            folder = Path(self.uri)
            Checksums(folder).require(log.needed(folder, table.version()))
        return table

    def _look(self) -> None:
        """Bring the open table up to date."""
        assert self._table is not None
        before = self._table.version()
        self._table.update_incremental()
        if not is_uri(self.uri):
            folder = Path(self.uri)
            Checksums(folder).require(log.between(folder, before, self._table.version()))

    def _require_whole(self, table: DeltaTable, again: bool = False) -> None:
        """Raise :class:`DataError` where a data file of ``table`` is not as it was written; remote stores see to it."""
        if not is_uri(self.uri):
            Checksums(Path(self.uri)).require(_paths(table), again)

    def _checkpoint(self, table: DeltaTable) -> None:
        if is_uri(self.uri) or not log.checkpoint_file(Path(self.uri), table.version()).exists():
            table.create_checkpoint()

    def _check_version(self, version: int) -> None:
        if 1 <= version <= SCHEMA_VERSION:
            return
        remedy = "upgrade the suite" if version > SCHEMA_VERSION else "export it with the suite that wrote it"
        raise SuiteError(
            f"the ledger table {self.uri} has schema {version} and this suite reads 1 to {SCHEMA_VERSION}; "
            f"{remedy}, or choose another folder with --out."
        )

    def _append(self, rows: pa.Table) -> None:
        version = None
        if self._table is None:
            self._table = self._find()
            version = None if self._table else -1  # of a new table, the first commit counts as new
            self._table = self._table or self._create()
        before = self._state(self._table, version)
        try:
            self._upgrade(self._table)
            write_deltalake(self._table, rows, mode="append", writer_properties=_WRITER, commit_properties=_COMMIT)
        except CommitFailedError:
            self._table = None  # another writer created or upgraded the table at the same time: look again
            raise
        self._tidy(self._table)
        self._sum(self._table, before)

    def _state(self, table: DeltaTable, version: int | None = None) -> State:
        """The data files and the version of ``table``, or the ``version`` that is given."""
        files = set() if is_uri(self.uri) else set(_paths(table))
        return files, table.version() if version is None else version

    def _sum(self, table: DeltaTable | None, before: State) -> None:
        """Record checksums of the files that are new since ``before``."""
        if table is not None and not is_uri(self.uri):
            folder, (files, version) = Path(self.uri), before
            new = log.between(folder, version, table.version())
            Checksums(folder).add([*sorted(set(_paths(table)) - files), *new])

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
            before = self._state(table)
            self._require_whole(table, again=True)
            table.delete(predicate, commit_properties=_COMMIT)
            self._sum(table, before)

    def _compact(self, keep_hours: float) -> None:
        table = self.open()
        if table is None:
            return
        self._merge(table)
        table.vacuum(int(keep_hours), dry_run=False, enforce_retention_duration=False, full=True)
        self._checkpoint(table)
        if not is_uri(self.uri):
            folder = Path(self.uri)
            Checksums(folder).keep([*_paths(table), *log.files(folder)])

    def _merge(self, table: DeltaTable) -> None:
        """Small files as few, in the order in which they were written: rows of a run are a course in time."""
        if len(table.file_uris()) > 1:
            self._require_whole(table, again=True)  # what is damaged would be written anew as if it were whole
            table.optimize.compact(target_size=_TARGET, writer_properties=_WRITER, commit_properties=_COMMIT)

    def _tidy(self, table: DeltaTable) -> None:
        """Every so many commits, by whoever made the last of them: opening and reading stay as fast as at first.

        Files that were merged stay for those who are reading them. Nothing depends on it, so a failure is no error.
        """
        if table.version() % TIDY_EVERY:
            return
        try:
            self._merge(table)
            self._checkpoint(table)
        except (DeltaError, OSError, DataError) as error:  # another writer deletes or compacts, or the disk is full
            logger.debug("%s was not tidied: %s", self.uri, error)
            self._table = None

    def _checked(self, act: Callable[[], ResultT], verb: str = "read") -> ResultT:
        """``act()``; a failure of the store is raised as a :class:`SuiteError` of one sentence."""
        try:
            with held_back():
                return act()
        except DataError as error:
            self._table = None
            raise SuiteError(f"the ledger table {self.uri} is damaged ({error}); {REMEDY}") from None
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
