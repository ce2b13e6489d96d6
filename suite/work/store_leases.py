"""Leases in a remote store: objects that are put only where none is, and put anew while their run is under way.

The store has to refuse to put an object where one is already, as the ledger needs it to (S3: ``If-None-Match``). The
holder of a run's lease is who put the object ``leases/RUN/N`` with the highest N, and puts it anew every ``RENEW``
seconds. A process that has seen it unchanged for ``EXPIRE`` seconds puts N + 1 and holds the lease from then on. It
measures that time by its own clock: clocks of different machines are never compared.
"""

from __future__ import annotations

import json
import os
import random
import socket
import threading
import time
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path

from suite.places import Places
from suite.work.small_files import SmallFiles

RENEW = 15.0  # seconds between two writings of a lease
EXPIRE = 90.0  # seconds without one after which a lease is free
LOOK = 4.0  # seconds between looks at a lease that another process holds, half more or less

Objects = dict[int, str]

_SEEN: dict[str, tuple[Objects, float]] = {}  # what this process saw of each lease last, and since when it is so
_TAKEN: dict[str, float] = {}  # when this process last found each lease taken


class StoreLease:
    """The lease of one run in the store of ``places``; what the store's library raises is passed on."""

    def __init__(self, places: Places, run: str) -> None:
        self.files = SmallFiles(places, f"leases/{run}")
        self.owner = {"machine": machine(), "process": os.getpid(), "lease": uuid.uuid4().hex}
        self.number = 0
        self.next_look = 0.0
        self.writing = threading.Lock()
        self.released = threading.Event()

    def acquire(self, seconds: float) -> bool:
        """Take the lease if it is free; False after ``seconds`` (or one look) if it is not."""
        left = self.next_look - time.monotonic()
        if left > 0:
            time.sleep(min(left, seconds))
            return False
        if self._take():
            _SEEN.pop(self.files.place, None)
            threading.Thread(target=self._renew, daemon=True).start()
            return True
        self.next_look = time.monotonic() + LOOK * random.uniform(0.5, 1.5)
        return False

    def release(self) -> None:
        """Free the lease, unless it was silent for so long that another process has it."""
        self.released.set()
        with self.writing:
            numbers = self._numbers()
            if max(numbers, default=self.number) == self.number:
                self._remove(numbers)  # its own last: until then the run is taken

    def taken(self) -> bool:
        """Whether another process holds the lease, or held it and has not been silent for long enough.

        Asked again at once, it answers from memory: each look costs requests.
        """
        place, now = self.files.place, time.monotonic()
        if now - _TAKEN.get(place, -LOOK) < LOOK:
            return True
        objects = self._objects()
        if objects and not self._free(objects):
            _TAKEN[place] = now
            return True
        return False

    def _take(self) -> bool:
        before = self._objects()
        if before and not self._free(before):
            return False
        self.number, own = max(before, default=-1) + 1, self._text(0)
        if not self._put(own):
            return False
        # Two may have found the lease free in different states. Who then sees anything but what it has found gives way.
        if self._objects() == {**before, self.number: own}:
            return True
        self._remove([self.number])
        return False

    def _free(self, objects: Objects) -> bool:
        """Whether its holder is dead, or was silent for long enough."""
        seen, since = _SEEN.get(self.files.place, ({}, 0.0))
        if objects != seen:
            since = time.monotonic()
            _SEEN[self.files.place] = objects, since
        return time.monotonic() - since >= EXPIRE or _dead(objects[max(objects)])

    def _put(self, own: str) -> bool:
        """Whether ``own`` is the object of this number now."""
        problem: Exception | None = None
        try:
            self.files.create(str(self.number), own)
        except Exception as error:  # refused, or a request that was sent twice, or the store is out of reach
            problem = error
        with suppress(FileNotFoundError):
            return self.files.read(str(self.number)) == own
        if problem is not None and not isinstance(problem, FileExistsError):
            raise problem
        return False

    def _renew(self) -> None:
        beats = 0
        while not self.released.wait(RENEW):
            with self.writing, suppress(Exception):  # the store may be out of reach for a while
                if self.released.is_set() or max(self._numbers(), default=-1) != self.number:
                    return
                beats += 1
                self.files.write(str(self.number), self._text(beats))

    def _text(self, beats: int) -> str:
        return json.dumps({**self.owner, "beats": beats})

    def _numbers(self) -> list[int]:
        return sorted(int(name) for name in self.files.names() if name.isdecimal())

    def _objects(self) -> Objects:
        found: Objects = {}
        for number in self._numbers():
            with suppress(FileNotFoundError):  # freed meanwhile
                found[number] = self.files.read(str(number))
        return found

    def _remove(self, numbers: list[int]) -> None:
        for number in numbers:
            with suppress(FileNotFoundError):
                self.files.remove(str(number))


@cache
def machine() -> str:
    """A name for this machine since it was started, and for its process numbers; empty where the system has none."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        numbers = Path("/proc/self/ns/pid").stat().st_ino  # containers count their processes separately
    except OSError:
        return ""
    return f"{socket.gethostname()}/{boot}/{numbers}"


def _dead(text: str) -> bool:
    """Whether a lease is that of a process of this machine that is gone: then nobody needs to wait for its silence."""
    try:
        owner = json.loads(text)
        if not owner["machine"] or owner["machine"] != machine():
            return False
        os.kill(int(owner["process"]), 0)
    except ProcessLookupError:
        return True
    except (ValueError, KeyError, TypeError, OSError, OverflowError):
        return False
    return False
