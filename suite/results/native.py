"""Standard error of native libraries: what they print when they fail becomes one sentence."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class NativePanicError(OSError):
    """A library of Rust gave up in the middle; its own exception is none that ``except Exception`` catches."""


SETTLE = 0.05  # seconds in which a library's threads print what they have to say of a failure
_ONE = threading.Lock()


@contextmanager
def held_back() -> Iterator[None]:
    """Inside, what is written to file descriptor 2 waits: it is shown afterwards, but dropped where an error is raised.

    A panic of a Rust library prints a stack before it becomes an exception, here an :class:`NativePanicError`. One
    thread at a time: inside a second, and on systems without files in memory, nothing is held back.
    """
    if not hasattr(os, "memfd_create") or not _ONE.acquire(blocking=False):
        with _panics_as_errors():
            yield
        return
    try:
        with _panics_as_errors():
            yield from _held()
    finally:
        _ONE.release()


@contextmanager
def _panics_as_errors() -> Iterator[None]:
    try:
        yield
    except BaseException as error:  # each library has a class of its own, of this name
        if type(error).__name__ != "PanicException":
            raise
        raise NativePanicError(str(error)) from None


def _held() -> Iterator[None]:
    sys.stderr.flush()
    before, waiting = os.dup(2), os.memfd_create("stderr")
    os.dup2(waiting, 2)
    failed = True
    try:
        yield
        failed = False
    finally:
        sys.stderr.flush()
        if failed:
            time.sleep(SETTLE)
        os.dup2(before, 2)
        if not failed and (said := os.pread(waiting, os.fstat(waiting).st_size, 0)):
            os.write(2, said)
        os.close(before)
        os.close(waiting)
