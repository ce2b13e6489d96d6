"""Writing a rehearsal pack: what it will hold is known before, and a pack is there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from suite.data.storage.files import find
from suite.data.storage.generated import MARK, find_mark, write_marks
from suite.data.storage.locks import locked
from suite.errors import DataError
from suite.rehearsal.request import Draft, Request, Step

SPARE = 64 * 2**20  # bytes that stay free on the disk


def draft(asked: Request) -> Draft:
    """What the pack would hold. Raises :class:`DataError` for annotations that cannot be read."""
    from suite.rehearsal.localization import localization
    from suite.rehearsal.people import people
    from suite.rehearsal.recognition import recognition

    by_reader: Mapping[str, Callable[[Request], Draft]] = {
        "i3d": localization, "activitynet": localization, "hmdb": recognition, "epic": recognition,
        "ava": people, "ucf101": people,
    }  # fmt: skip
    return by_reader[asked.card.reader](asked)


def rehearse(asked: Request, made: Draft, step: Step = lambda written: None, force: bool = False) -> Path:
    """Write the pack and mark it as generated; returns its folder.

    Raises :class:`DataError` where the folder holds anything but an earlier rehearsal pack (which ``force`` replaces),
    and where the disk has no room.
    """
    folder = asked.folder
    with locked(folder):
        _require_replaceable(asked, force)
        _require_room(asked, made)
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = folder.with_name(f".{folder.name}.partial-{uuid.uuid4().hex}")
        try:
            partial.mkdir(parents=True)
            made.write(partial, step)
            _mark(asked, made, partial)
            if folder.exists():
                shutil.rmtree(folder)
            partial.rename(folder)
        except OSError as error:
            raise DataError(
                f"{asked.card.name}: cannot write {folder} ({error.strerror or error}); make room or give another --to."
            ) from None
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def _require_replaceable(asked: Request, force: bool) -> None:
    """Nothing but a whole rehearsal pack, to which nobody has added anything, may be replaced."""
    folder = asked.folder
    held = sum(_counts(folder).values())
    if not held:
        if folder.exists() and not folder.is_dir():
            raise DataError(f"{folder} is a file; give another folder with --to.")
        return
    mark = find_mark(asked.card, folder)
    own = folder / MARK
    if mark is None or mark.path != own or mark.content.get("wrote") != held:
        raise DataError(
            f"{folder} holds files that no rehearsal wrote; nothing there is touched: give another folder with --to."
        )
    if not force:
        raise DataError(f"{folder} holds a rehearsal pack already; use it as it is, or write it anew with --force.")


def room(asked: Request, made: Draft) -> tuple[int, bool]:
    """Bytes that are free where the pack goes, and whether they hold it."""
    there = next(place for place in asked.folder.absolute().parents if place.is_dir())
    free = shutil.disk_usage(there).free
    return free, made.size + SPARE <= free


def no_room(asked: Request, made: Draft, free: int) -> str:
    """What is said where the disk does not hold the pack."""
    return (
        f"{asked.card.name}: the pack needs about {made.size / 2**30:.1f} GiB in {asked.folder.parent}, where "
        f"{free / 2**30:.1f} are free; make room, ask for less (--videos, --channels), or give another --to."
    )


def _require_room(asked: Request, made: Draft) -> None:
    free, enough = room(asked, made)
    if not enough:
        raise DataError(no_room(asked, made, free))


def _mark(asked: Request, made: Draft, folder: Path) -> None:
    """Mark the pack and each folder with files in it; files that differ from the card are stated with their SHA-256."""
    counts = _counts(folder)
    places = sorted(counts.keys() - {folder})
    written = {}
    for file in asked.card.files:
        for path in find(file, folder) if file.sha256 else []:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest != file.sha256:
                written[path.relative_to(folder).as_posix()] = digest
    wrote = sum(counts.values()) + len(places) + 1
    write_marks(folder, places, {**asked.about(), "holds": made.holds, "files": written, "wrote": wrote})


def _counts(folder: Path) -> dict[Path, int]:
    """How many files lie in ``folder`` and in each folder below it that has any: a pack may have millions."""
    return {Path(place): len(files) for place, _, files in os.walk(folder) if files}


def bytes_in(folder: Path) -> int:
    """What the files below ``folder`` take, those with several names once."""
    known: set[int] = set()
    waiting, total = [folder], 0
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif entry.inode() not in known:
                    known.add(entry.inode())
                    total += entry.stat().st_size
    return total
