"""The feature store: all arrays of one dataset version in one memory-mapped file, with an index.

Layout of a store folder: ``arrays.bin`` (every array, row-major, each starting at a multiple of 64 bytes; equal ones
are there once, as where validation is the test) and ``index.json`` (dtype, shape and offset of each array, the tree
that puts them together, the file's size and SHA-256, and a checksum of the index itself). Small stores are compared
with their SHA-256 when they are opened.
A store is built in a temporary folder that is renamed when it is complete, so a folder with an index is a whole one.
Opening reads the index and maps the file: no array is copied, and all processes of a node share the pages.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from suite.data.storage.locks import locked
from suite.data.storage.rows import LazyRows, blocks_of
from suite.data.storage.tree import class_name, flatten, restore
from suite.errors import DataError, SuiteError, pass_on_interruption
from suite.sealing import checked, with_check

ALIGNMENT = 64
SMALL = 2**28  # bytes that are read as a whole at opening: half a second
FORMAT = 1
DATA, INDEX = "arrays.bin", "index.json"
Check = Callable[[str, int, np.ndarray], None]  # array's key, first row, block; raises DataError


class OutdatedStoreError(DataError):
    """A whole store that this version of the suite does not understand: it is built anew."""


def no_check(key: str, start: int, block: np.ndarray) -> None:
    """Accept every block."""


def write_store(
    folder: Path,
    value: Any,
    dtype_of: Callable[[str], str | None],
    check: Check = no_check,
    kinds: Sequence[type] = (),
) -> None:
    """Stream ``value`` (nested dataclasses of arrays) into a new store at ``folder``, which must not exist.

    ``dtype_of(key)`` gives the type to store an array in (None: as it is); ``check`` sees every block as it is stored;
    ``kinds`` are dataclasses from outside the suite that it may hold.
    """
    columns: dict[str, np.ndarray | LazyRows] = {}
    tree = flatten(value, "", columns.__setitem__, kinds)
    folder.mkdir(parents=True)
    with (folder / DATA).open("wb") as file:
        stream = _Stream(file)
        entries: dict[str, dict[str, Any]] = {}
        streamed: dict[tuple[int, str | None], dict[str, Any]] = {}  # splits may share an array: it is read once
        for key, rows in columns.items():
            own = id(rows), dtype_of(key)
            if own not in streamed:
                streamed[own] = stream.add(key, rows, dtype_of(key), check)
            entries[key] = streamed[own]
        # An empty file cannot be mapped, and a store may hold nothing but plain values.
        stream.pad(minimum=ALIGNMENT)
        _sync(file)
    # Written last and after the data are on the disk: a folder with an index is a complete store.
    index = {
        "format": FORMAT,
        "bytes": stream.size,
        "sha256": stream.digest.hexdigest(),
        "arrays": entries,
        "tree": tree,
    }
    with (folder / INDEX).open("w", encoding="utf-8") as text:
        json.dump(with_check(index), text)
        _sync(text)


class _Stream:
    """Appends arrays to a file, counting and hashing what goes in; an array that is there already is not kept twice."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.size, self.digest = file, 0, hashlib.sha256()
        self.written: dict[tuple[str, tuple[int, ...], bytes], int] = {}

    def write(self, data: bytes | memoryview) -> None:
        self.file.write(data)
        self.digest.update(data)
        self.size += len(data)

    def once(self, kind: str, shape: tuple[int, ...], start: int, own: bytes, before: hashlib._Hash) -> int:
        """Where the array is kept that was written from ``start`` on and whose digest is ``own``.

        If an equal one stands earlier, what was written is taken back, to the digest ``before``.
        """
        kept = self.written.setdefault((kind, shape, own), start)
        if kept != start:
            self.file.seek(start)
            self.file.truncate()
            self.size, self.digest = start, before
        return kept

    def pad(self, minimum: int = 0) -> None:
        self.write(bytes(max(minimum - self.size, -self.size % ALIGNMENT)))

    def add(self, key: str, rows: np.ndarray | LazyRows, dtype: str | None, check: Check) -> dict[str, Any]:
        self.pad()
        kind = _storable(np.dtype(dtype or rows.dtype), rows)
        start, done, own, before = self.size, 0, hashlib.sha256(), self.digest.copy()
        for block in blocks_of(rows):
            if block.shape[1:] != tuple(rows.shape[1:]):
                wide = f"{block.shape[1:]} wide, not {rows.shape[1:]}"
                raise DataError(f"'{key}': rows from {done} on are {wide}; correct the reader.")
            with np.errstate(over="ignore"):  # a value beyond float16 becomes infinite and is reported by the check
                block = np.ascontiguousarray(block, dtype=kind)
            check(key, done, block)
            done += len(block) if block.ndim else 1
            content = block.reshape(-1).view(np.uint8).data if block.size else b""
            own.update(content)
            self.write(content)
        if rows.shape and done != rows.shape[0]:
            raise DataError(f"'{key}': the reader announced {rows.shape[0]} rows and gave {done}; correct the reader.")
        offset = self.once(kind.str, tuple(rows.shape), start, own.digest(), before)
        return {"dtype": kind.str, "shape": list(rows.shape), "offset": offset}


def _storable(dtype: np.dtype, rows: np.ndarray | LazyRows) -> np.dtype:
    """The little-endian type to store, text for objects (which only a pickle could hold otherwise)."""
    if dtype.kind == "O" and isinstance(rows, np.ndarray):
        return np.array([str(item) for item in rows.ravel()] or [""]).dtype
    return dtype.newbyteorder("<") if dtype.byteorder == ">" else dtype


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def read_index(folder: Path) -> dict[str, Any]:
    """The index of a complete store; raises :class:`DataError` when the store was damaged after it was completed."""
    remedy = f"delete {folder} and prepare it again (suite data prepare --force does both)"
    try:
        index = checked(json.loads((folder / INDEX).read_text(encoding="utf-8")))
        actual = (folder / DATA).stat().st_size
        if not {"bytes", "sha256", "arrays", "tree"} <= index.keys():
            raise ValueError("the index is incomplete")
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"the packed features in {folder} cannot be read ({error}); {remedy}.") from None
    if index.get("format") != FORMAT:
        raise OutdatedStoreError(f"the packed features in {folder} are of another version of the suite; {remedy}.")
    if actual != index["bytes"]:
        raise DataError(
            f"{folder / DATA} has {actual:,} bytes instead of {index['bytes']:,}: it was cut or changed; {remedy}."
        )
    return index


def _require_small(folder: Path, index: dict[str, Any]) -> None:
    """Raise :class:`DataError` where the arrays of a small store are not those that were written."""
    state = (folder / DATA).stat()
    if state.st_size <= SMALL and _digest(folder / DATA, state.st_size, state.st_mtime_ns) != index["sha256"]:
        raise DataError(
            f"{folder / DATA} is not as it was written: its SHA-256 is another; delete {folder} and prepare it again "
            "(suite data prepare --force does both)."
        )


@lru_cache(maxsize=1024)
def _digest(file: Path, size: int, changed: int) -> str:
    """The SHA-256 of a file, taken once by a process as long as its size and time stay as they are."""
    with file.open("rb") as held:
        return hashlib.file_digest(held, "sha256").hexdigest()


def open_store(folder: Path, kinds: Sequence[type] = ()) -> Any:
    """The stored value, its arrays read-only views of the mapped file.

    A store up to ``SMALL`` bytes is read once by each process, for its checksum; a larger one takes the same time
    whatever its size.
    ``kinds`` are dataclasses from outside the suite that it may hold.
    """
    index = read_index(folder)
    _require_small(folder, index)
    with (folder / DATA).open("rb") as file:
        pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        arrays = {
            key: np.ndarray(tuple(entry["shape"]), _plain(entry["dtype"]), buffer=pages, offset=entry["offset"])
            for key, entry in index["arrays"].items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, MemoryError) as error:
        raise DataError(
            f"the index of {folder} is damaged ({error}); delete the folder and prepare the dataset again."
        ) from None
    try:
        return restore(index["tree"], arrays, {class_name(kind): kind for kind in kinds})
    except (TypeError, AttributeError, ImportError, LookupError, ValueError) as error:  # a class has other fields now
        raise OutdatedStoreError(
            f"{folder} was packed for other classes ({error}); delete it and prepare again."
        ) from None


def _plain(name: Any) -> np.dtype[Any]:
    """The type called ``name``; :class:`ValueError` for one whose items would be pointers."""
    kind = np.dtype(name)
    if kind.hasobject:
        raise ValueError(f"arrays of the type {name}")
    return kind


def verify_store(folder: Path) -> bool:
    """Whether the stored bytes still have the SHA-256 they were written with."""
    with (folder / DATA).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == read_index(folder)["sha256"]


def is_complete(folder: Path) -> bool:
    """Whether a finished store stands at ``folder``."""
    return (folder / INDEX).is_file()


def build_once(folder: Path, build: Callable[[Path], None], force: bool = False) -> Path:
    """Make sure that a complete store stands at ``folder``, built by one process while others wait.

    ``build`` writes into the folder it is given; remains of builders that died are removed. ``force`` builds anew.
    """
    if is_complete(folder) and not force:
        return folder
    with locked(folder):
        if is_complete(folder) and not force:
            return folder
        for remains in folder.parent.glob(f"{folder.name}.partial-*"):
            shutil.rmtree(remains, ignore_errors=True)
        partial = folder.with_name(f"{folder.name}.partial-{uuid.uuid4().hex}")
        try:
            with _in_one_sentence(folder):
                build(partial)
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        _sync_folder(folder.parent)
    return folder


@contextmanager
def _in_one_sentence(folder: Path) -> Iterator[None]:
    """Whatever a library raises over a damaged file, as a :class:`DataError`."""
    try:
        yield
    except SuiteError:
        raise
    except Exception as error:
        pass_on_interruption(error)
        said = " ".join(str(error).split())[:300]
        raise DataError(
            f"cannot pack {folder.name} ({type(error).__name__}: {said}); suite data verify names damaged files."
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
