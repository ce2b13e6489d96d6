"""Notes beside the ledger: where every command at work stands, readable from another shell or machine.

One small file per command, written every few seconds and removed when the command ends. Nothing depends on them; a note
that is no longer written belongs to a command that was killed.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from suite.places import Places
from suite.sealing import checked, with_check
from suite.train.storage.reporter import Doing, Progress, Reporter
from suite.work.progress import Pace, Running, Standing, noted
from suite.work.small_files import SmallFiles
from suite.work.source import HERE

FOLDER = "status"
EVERY = 3.0  # seconds between two writings of a note
REMOTE_EVERY = 15.0  # the same into a remote store, where each costs a request
SILENT = 60.0  # seconds without a word after which a command counts as dead
FORGET = 7 * 24 * 3600.0  # seconds after which notes of dead commands are removed by those who read them


@dataclass(frozen=True)
class Note:
    """What one command says of itself; ``age`` is how many seconds ago."""

    standing: Standing
    command: str
    host: str
    process: int
    age: float

    @property
    def silent(self) -> bool:
        """Whether it stopped writing without a word."""
        return self.age > SILENT


class Notes:
    """The note of this process, written every few seconds from the first standing on: an epoch may take an hour."""

    def __init__(self, places: Places) -> None:
        self.folder = SmallFiles(places, FOLDER)
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}.json"
        self.every = REMOTE_EVERY if self.folder.remote else EVERY
        self.latest: tuple[Standing, float] | None = None  # where the command stood, and when
        self.written = -self.every
        self.writing = threading.Lock()
        self.ended = threading.Event()

    def tell(self, standing: Standing) -> None:
        """Write where the command stands, unless that was done a moment ago."""
        self.latest = standing, time.monotonic()
        if time.monotonic() - self.written >= self.every:
            self._note()

    def repeat(self) -> None:
        """Write the latest standing again, with the time that has passed, every few seconds until the command ends."""
        while not self.ended.wait(self.every):
            if self.latest is not None and time.monotonic() - self.written >= self.every:
                self._note(time.monotonic() - self.latest[1])

    def _note(self, since: float = 0.0) -> None:
        if self.latest is None or not self.writing.acquire(blocking=False):
            return
        if self.ended.is_set():  # asked while nobody can remove the note: none is written after that
            self.writing.release()
            return
        self.written = time.monotonic()
        standing, _ = self.latest
        left = None if standing.left is None else max(0.0, standing.left - since)
        note = {
            "standing": asdict(replace(standing, seconds=standing.seconds + since, left=left)),
            "command": f"suite {' '.join(sys.argv[1:])}",
            "host": socket.gethostname(),
            "process": os.getpid(),
            "time": time.time(),
        }
        text = json.dumps(with_check(note))
        if self.folder.remote:  # a slow store must not hold up the work
            threading.Thread(target=self._write, args=(text,), daemon=True).start()
        else:
            self._write(text)

    def _write(self, text: str) -> None:
        try:
            with suppress(Exception):  # whatever the store says: a note is not worth a run
                self.folder.write(self.name, text)
        finally:
            self.writing.release()

    def remove(self) -> None:
        """The command ended."""
        self.ended.set()
        with self.writing, suppress(Exception):
            self.folder.remove(self.name)


class Noting:
    """A reporter that keeps the note of a single training, called ``title``, and hands all on to ``inner``."""

    def __init__(self, notes: Notes, title: str, inner: Reporter) -> None:
        self.notes, self.title, self.inner = notes, title, inner
        self.begun = time.monotonic()
        self._note(Running(title, HERE))

    def report(self, progress: Progress) -> bool:
        """Go on as ``inner`` says."""
        self._note(Running(self.title, HERE, progress.done, progress.total, *noted(progress)))
        return self.inner.report(progress)

    def tell(self, doing: Doing) -> None:
        """Note it, and pass it on."""
        self._note(replace(self.running, doing=doing.in_words()))
        self.inner.tell(doing)

    def _note(self, running: Running) -> None:
        seconds = time.monotonic() - self.begun
        self.running = replace(running, seconds=seconds)
        left = Pace(1.0).left(running.share, seconds)
        self.notes.tell(Standing(f"train {self.title}", 0, 1, 0, (self.running,), "", seconds, left))


@contextmanager
def noting(places: Places) -> Iterator[Notes]:
    """Inside, this process keeps a note among the outputs."""
    notes = Notes(places)
    threading.Thread(target=notes.repeat, daemon=True).start()
    try:
        yield notes
    finally:
        notes.remove()


def read_notes(places: Places) -> list[Note]:
    """The notes of all commands that work on these outputs, on whatever machine; old ones of dead ones are removed."""
    folder, found = SmallFiles(places, FOLDER), []
    for name in folder.names(".json"):
        with suppress(OSError, ValueError, KeyError, TypeError):  # being written, or removed meanwhile
            note = _parsed(checked(json.loads(folder.read(name))))
            if note.age > FORGET:
                folder.remove(name)
            else:
                found.append(note)
    return sorted(found, key=lambda note: (note.silent, note.standing.title, note.host, note.process))


def _parsed(known: dict[str, Any]) -> Note:
    inside = dict(known["standing"])
    running = tuple(Running(**one) for one in inside.pop("running"))
    age = max(0.0, time.time() - float(known["time"]))
    standing = Standing(**inside, running=running)
    return Note(standing, str(known["command"]), str(known["host"]), int(known["process"]), age)
