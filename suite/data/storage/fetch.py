"""Fetching a dataset's files: resumed downloads, checked against the card, unpacked inside their folder only."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import stat
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PurePosixPath

from suite.data.storage.files import fault, find, replaced
from suite.data.storage.locks import locked
from suite.errors import DataError
from suite.spec.card import DatasetCard, FileSpec

CHUNK = 2**20
ATTEMPTS = 3
SMALL, DENSEST = 2**30, 200  # bytes that any archive may hold, and how many times its own size a larger one may
ShowProgress = Callable[[str, int, int | None], None]
"""Receives the file's name, the bytes that are there so far, and how many there will be (None where unknown)."""


def silent(name: str, done: int, total: int | None) -> None:
    """Show nothing."""


def fetch(
    card: DatasetCard, folder: Path, cache: Path, progress: ShowProgress = silent, force: bool = False
) -> dict[str, str]:
    """Bring every file of ``card`` that has an address into ``folder``; file's path to what was done with it.

    A file that is there and right is left alone; one that is there and wrong is only replaced when ``force`` is given.
    Raises :class:`DataError` for a broken transfer (run again: it resumes), a wrong size or checksum, an archive that
    would write outside the folder, and for needed files that have no address.
    """
    done: dict[str, str] = {}
    for file in card.files:
        done[file.path] = _provide(card, file, folder, cache, progress, force)
    absent = [file for file in card.files if done[file.path] == "no address" and not file.optional]
    if absent:
        how = card.obtain or f"see {card.source}"
        raise DataError(
            f"{card.name}: {absent[0].path} has no public address; {how.rstrip('.')}: it belongs in {folder}."
        )
    return done


def _provide(card: DatasetCard, file: FileSpec, folder: Path, cache: Path, progress: ShowProgress, force: bool) -> str:
    present = find(file, folder)
    wrong = next((text for path in present if (text := fault(file, path, cache))), "")
    if wrong and not force:
        raise DataError(f"{card.name}: {present[0]} {wrong}; move it away or replace it with --force.")
    action = "present"
    if not present or wrong:
        if replaced(card, file, folder) or (file.instead_of and find(_named(card, file.instead_of), folder)):
            return "not needed"
        if not file.url:
            substitutes = [other for other in card.files if other.instead_of == file.path and other.url]
            return "not needed" if substitutes else "no address"
        with locked(folder / file.path):
            download(file, folder / file.path, progress)
        action = "downloaded"
    if file.unpack and _unpack_once(file, folder):
        action += ", unpacked"
    return action


def _named(card: DatasetCard, path: str) -> FileSpec:
    return next((file for file in card.files if file.path == path), FileSpec(path=path))


# Downloading -------------------------------------------------------------------------------------------------------


def download(file: FileSpec, target: Path, progress: ShowProgress = silent) -> None:
    """Download ``file.url`` to ``target`` through ``target.part``, which a later call goes on with.

    The finished file is only given its name when size and SHA-256 are as stated; a part that is complete and wrong is
    deleted, since going on with it could never help.
    """
    if not file.url.startswith(("http://", "https://")):
        raise DataError(f"{file.path}: '{file.url}' is not an http address; correct the card.")
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _transfer(file, part, progress)
        _check_whole(file, part)
        part.replace(target)
        _note_of(part).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"{file.path}: cannot write {target} ({error.strerror or error}); make room or set --data."
        ) from None


def _transfer(file: FileSpec, part: Path, progress: ShowProgress) -> None:
    """Try a few times, each time going on where the last one broke off."""
    reason = ""
    for _ in range(ATTEMPTS):
        try:
            if _receive(file, part, progress):
                return
            reason = "the connection closed early"
        except urllib.error.HTTPError as error:
            reason = f"the server answered {error.code} {error.reason}"
            # Repeating does not help against a wrong address or a missing right; errors of the server itself may pass.
            if error.code < 500:
                break
        except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
            reason = str(getattr(error, "reason", "") or error)
    size = part.stat().st_size if part.exists() else 0
    raise DataError(
        f"{file.path}: {reason} at {file.url} after {size:,} bytes; run the same command again, it goes on there."
    )


def _receive(file: FileSpec, part: Path, progress: ShowProgress) -> bool:
    """One request; whether the file is whole afterwards."""
    have = part.stat().st_size if part.exists() else 0
    known = _tag(part)
    headers = {"User-Agent": "weak-action-suite", "Accept-Encoding": "identity"}
    if have and (known or file.sha256):  # without a tag or a checksum a changed file would go unnoticed
        headers |= {"Range": f"bytes={have}-"} | ({"If-Range": known} if known else {})
    try:
        response = urllib.request.urlopen(urllib.request.Request(file.url, headers=headers), timeout=60)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        if error.headers.get("Content-Range", "").endswith(f"/{have}"):
            return True  # all of it was here already
        part.unlink()  # longer than what the server has: not the same file
        return False
    with response:
        return _append(response, part, have if response.status == 206 else 0, file, progress)


def _append(response: HTTPResponse, part: Path, start: int, file: FileSpec, progress: ShowProgress) -> bool:
    length = response.headers.get("Content-Length")
    total = start + int(length) if length else file.size
    tag = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
    # Weak tags may not be used with If-Range (RFC 9110, section 13.1.5): they do not promise the same bytes.
    _note_of(part).write_text(json.dumps({"tag": "" if tag.startswith("W/") else tag}), encoding="utf-8")
    done = start
    with part.open("ab" if start else "wb") as out:
        while chunk := response.read1(CHUNK):
            out.write(chunk)
            done += len(chunk)
            progress(file.path, done, total)
    return total is None or done >= total


def _note_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _tag(part: Path) -> str:
    try:
        return str(json.loads(_note_of(part).read_text(encoding="utf-8"))["tag"])
    except (OSError, ValueError, KeyError):
        return ""


def _check_whole(file: FileSpec, part: Path) -> None:
    size = part.stat().st_size
    wrong = f"has {size:,} bytes instead of {file.size:,}" if file.size not in (None, size) else ""
    if not wrong and file.sha256:
        with part.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        wrong = f"has SHA-256 {digest} instead of {file.sha256}" if digest != file.sha256 else ""
    if wrong:
        part.unlink()
        _note_of(part).unlink(missing_ok=True)
        raise DataError(f"{file.path}: what {file.url} sent {wrong}; it was deleted: try again, or correct the card.")


# Unpacking ---------------------------------------------------------------------------------------------------------


def _unpack_once(file: FileSpec, folder: Path) -> bool:
    """Unpack unless this very archive was unpacked completely before; whether there was work."""
    archive = folder / file.path
    marker = archive.with_name(f".{archive.name}.unpacked")
    state = archive.stat()
    stamp = json.dumps({"size": state.st_size, "mtime": state.st_mtime_ns})
    if marker.is_file() and marker.read_text(encoding="utf-8") == stamp:
        return False
    unpack(archive, folder, file.unpack)
    marker.write_text(stamp, encoding="utf-8")
    return True


def unpack(archive: Path, folder: Path, kind: str) -> None:
    """Unpack a ``zip`` or ``tar`` into ``folder``; nothing is written if a member is a link or would land outside."""
    try:
        if kind == "zip":
            with zipfile.ZipFile(archive) as members:
                # Everything is looked at before anything is written, so that a refused archive leaves nothing behind.
                _refuse(archive, _bad_zip_members(members))
                _bound(archive, folder, sum(member.file_size for member in members.infolist()))
                members.extractall(folder)
        else:
            with tarfile.open(archive) as members_of_tar:
                _refuse(archive, _bad_tar_members(members_of_tar, folder))
                _bound(archive, folder, sum(member.size for member in members_of_tar))
                members_of_tar.extractall(folder, filter="data")
    except RuntimeError as error:  # a password, or a compression that Python lacks
        raise DataError(f"{archive} cannot be unpacked here ({error}); unpack it by hand into {folder}.") from None
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise DataError(f"{archive} is not a whole {kind} archive ({error}); fetch it again with --force.") from None
    except OSError as error:
        raise DataError(
            f"cannot unpack {archive} into {folder}: {error.strerror or error}; make room or set --data."
        ) from None


def _bound(archive: Path, folder: Path, size: int) -> None:
    """Refuse what does not fit the disk, and what no archive of features holds: a decompression bomb."""
    if size > max(SMALL, DENSEST * archive.stat().st_size):
        raise DataError(
            f"{archive} would grow to {size:,} bytes, more than {DENSEST} times its size; it was not unpacked: get it "
            "from its source, or unpack it by hand."
        )
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DataError(
            f"{archive} needs {size:,} bytes in {folder}, where {free:,} are free; make room or set --data."
        )


def _refuse(archive: Path, bad: Iterator[str]) -> None:
    with contextlib.suppress(StopIteration):
        name = next(bad)
        raise DataError(
            f"{archive} would write '{name}' outside its folder; it was not unpacked: get it from its source."
        )


def _bad_zip_members(members: zipfile.ZipFile) -> Iterator[str]:
    for member in members.infolist():
        path = PurePosixPath(member.filename.replace("\\", "/"))
        outside = path.is_absolute() or ".." in path.parts or ":" in (path.parts or ("",))[0]
        if outside or stat.S_ISLNK(member.external_attr >> 16):
            yield member.filename


def _bad_tar_members(members: tarfile.TarFile, folder: Path) -> Iterator[str]:
    for member in members:
        try:
            if PurePosixPath(member.name).is_absolute() or member.issym() or member.islnk():
                yield member.name
            else:
                tarfile.data_filter(member, str(folder))
        except tarfile.FilterError:
            yield member.name
