"""The files of a dataset on disk: where they are, whether they are what the card states, and their hashes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import time
import uuid
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from suite.data.storage import generated
from suite.data.storage.ahead import each_ahead
from suite.environment import DATA
from suite.errors import DataError
from suite.hyper import Value
from suite.sealing import checked, with_check
from suite.spec.base import content_hash
from suite.spec.card import DatasetCard, FileSpec

SAY_EVERY = 10.0  # seconds between lines about files that are hashed
GIB = 2**30
logger = logging.getLogger(__name__)


def data_root(root: Path | None = None) -> Path:
    """The folder that has one sub-folder per dataset: ``root``, ``SUITE_DATA`` or ``data``."""
    return root or Path(DATA.value or "data")


def dataset_folder(card: DatasetCard, root: Path | None = None) -> Path:
    """Where the files of ``card`` lie."""
    return data_root(root) / card.folder


def find(file: FileSpec, folder: Path) -> list[Path]:
    """The paths that ``file`` stands for and that exist, sorted."""
    if file.is_pattern:
        return sorted(path for path in folder.glob(file.path) if path.is_file())
    path = folder / file.path
    return [path] if path.is_file() else []


def replaced(card: DatasetCard, file: FileSpec, folder: Path) -> bool:
    """Whether another file that is present stands in for ``file``."""
    return any(other.instead_of == file.path and find(other, folder) for other in card.files)


def missing(card: DatasetCard, folder: Path) -> list[FileSpec]:
    """The files that the dataset cannot be read without and that are not there."""
    needed = [file for file in card.files if not file.optional and not file.instead_of]
    return [file for file in needed if not find(file, folder) and not replaced(card, file, folder)]


def missing_with(card: DatasetCard, folder: Path, settings: Mapping[str, Value]) -> list[FileSpec]:
    """The optional files that a run with these dials and parameters needs and that are not there."""
    return [file for file in card.files if file.needed_with(settings) and not find(file, folder)]


def require_with(card: DatasetCard, folder: Path, settings: Mapping[str, Value]) -> None:
    """Raise :class:`DataError` when a file is absent that a run with these dials and parameters needs."""
    for file in missing_with(card, folder, settings):
        how = f"get it from {file.url}" if file.url else "put it there"
        raise DataError(f"{card.name}: {file.path} is not in {folder}, and is needed with {file.condition}; {how}.")


def is_available(card: DatasetCard, root: Path | None = None) -> bool:
    """Whether everything needed is on disk (always, for planted data)."""
    return not missing(card, dataset_folder(card, root))


def require(card: DatasetCard, folder: Path) -> None:
    """Raise :class:`DataError` when a needed file is absent."""
    absent = missing(card, folder)
    if absent:
        more = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
        how = f"fetch it with 'suite data get {card.name}'" if absent[0].url else card.obtain or f"see {card.source}"
        raise DataError(f"{card.name}: {absent[0].path}{more} is not in {folder}; {how.rstrip('.')}, or set --data.")


def sha256_of(path: Path, cache: Path) -> str:
    """The file's SHA-256, remembered under ``cache`` for as long as its size and modification time stay."""
    return _digest(_Stamp.of(path), cache)


class _Stamp(NamedTuple):
    """What a file is known again by."""

    path: str
    size: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> _Stamp:
        state = path.stat()
        return cls(str(path.absolute()), state.st_size, state.st_mtime_ns)

    def note(self, cache: Path) -> Path:
        """Where its hash is remembered."""
        return cache / "hashes" / f"{content_hash(self.path)}.json"


KNOWN: dict[tuple[_Stamp, Path], str] = {}  # hashes that this process has read or computed


def _remembered(stamp: _Stamp, cache: Path) -> str:
    """The hash that this process or a note knows; empty where neither does."""
    if (stamp, cache) not in KNOWN:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            noted = checked(json.loads(stamp.note(cache).read_text(encoding="utf-8")))
            if {key: noted[key] for key in _Stamp._fields} == stamp._asdict():
                KNOWN[stamp, cache] = str(noted["sha256"])
    return KNOWN.get((stamp, cache), "")


def _digest(stamp: _Stamp, cache: Path) -> str:
    if known := _remembered(stamp, cache):
        return known
    with Path(stamp.path).open("rb") as file:
        digest = KNOWN[stamp, cache] = hashlib.file_digest(file, "sha256").hexdigest()
    note = stamp.note(cache)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, not the answer
        note.parent.mkdir(parents=True, exist_ok=True)
        unfinished = note.with_suffix(f".{uuid.uuid4().hex}")
        unfinished.write_text(json.dumps(with_check({**stamp._asdict(), "sha256": digest})), encoding="utf-8")
        unfinished.replace(note)
    return digest


def fault(file: FileSpec, path: Path, cache: Path) -> str:
    """What is wrong with ``path`` in a few words, by size first; empty when it is what the card states."""
    size = path.stat().st_size
    if file.size is not None and size != file.size and not file.is_pattern:
        return f"has {size:,} bytes instead of {file.size:,}"
    if file.sha256 and sha256_of(path, cache) != file.sha256:
        return "has another SHA-256 than the card states"
    return ""


def as_written(file: FileSpec, sha256: str) -> FileSpec:
    """The file as a rehearsal pack states it, whose annotations may be others than the card's."""
    return file.model_copy(update={"sha256": sha256, "size": None})


def _hash_ahead(paths: list[Path], cache: Path, name: str) -> None:
    """Hash the files of a pattern of ``name`` that are not remembered, and log how far that is where it takes long."""
    new = [stamp for stamp in map(_Stamp.of, paths) if not _remembered(stamp, cache)]
    if len(new) < 2:
        return
    done, whole, said = 0, sum(stamp.size for stamp in new) / GIB, time.monotonic()
    for stamp, _ in zip(new, each_ahead(partial(_digest, cache=cache), new), strict=True):
        done += stamp.size
        if time.monotonic() - said > SAY_EVERY:
            said = time.monotonic()
            logger.info("%s: %.1f of %.1f GiB read, once, to know its files by content", name, done / GIB, whole)


def checked_hashes(card: DatasetCard, folder: Path, cache: Path) -> dict[str, str]:
    """Relative path to SHA-256 of every file present; raises :class:`DataError` for a missing, cut or changed file."""
    require(card, folder)
    mark = generated.find_mark(card, folder)
    written = mark.files if mark else {}
    marks = generated.find_marks(card, folder) if mark else []
    hashes = {path.relative_to(folder).as_posix(): sha256_of(path, cache) for path in marks}
    for file in card.files:
        found = find(file, folder)
        if file.count is not None and found and len(found) != file.count:
            raise DataError(
                f"{card.name}: {len(found)} files match {folder / file.path} instead of {file.count}; complete them."
            )
        _hash_ahead(found, cache, card.name)
        for path in found:
            place = path.relative_to(folder).as_posix()
            stated = as_written(file, written[place]) if place in written else file
            wrong = fault(stated, path, cache)
            if wrong:
                how = (
                    f"write it again (suite data rehearse {card.name}"
                    if mark
                    else f"fetch it again (suite data get {card.name}"
                )
                raise DataError(f"{card.name}: {path} {wrong}; {how} --force).")
            hashes[place] = sha256_of(path, cache)
    return hashes
