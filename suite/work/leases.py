"""Who is carrying out a run: two commands on one folder of results share the work instead of doing it twice.

A lease is a locked file beside the ledger. The system frees it when its holder dies, however it dies, so that nothing
expires and no clock matters. A file system that several machines share must pass locks on (NFS does since version 4).
Where outputs are a URI, the file keeps the processes of one machine apart, and :mod:`suite.work.store_leases` machines.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Literal, Protocol

from filelock import FileLock, Timeout

from suite.errors import DataError
from suite.places import Places
from suite.results.location import is_uri
from suite.work.store_leases import StoreLease

LOOK_EVERY = 0.5  # seconds between looks at a lease that another process holds

Got = Literal["at once", "after waiting", "stopped"]


def always() -> bool:
    """Go on."""
    return True


@contextmanager
def leased(
    places: Places, runs: Collection[str], going: Callable[[], bool] = always, waiting: Callable[[], None] | None = None
) -> Iterator[Got]:
    """Hold the leases of ``runs`` (ids), waiting for those that other processes hold while ``going`` says so.

    After waiting a run may be in the ledger. ``waiting`` is called once when that begins. Raises :class:`DataError`
    where nothing can be written.
    """
    with ExitStack() as held:
        got: Got = "at once"
        for run in sorted(runs):  # in one order everywhere: two processes never wait for each other
            for lease in _leases(places, run):
                while not lease.acquire(LOOK_EVERY):
                    if got == "at once" and waiting is not None:
                        waiting()
                    got = "after waiting"
                    if not going():
                        yield "stopped"
                        return
                held.callback(lease.release)
        yield got


def taken(places: Places, run: str) -> bool:
    """Whether another process is carrying out ``run``."""
    return any(lease.taken() for lease in _leases(places, run))


def forget(places: Places, run: str) -> None:
    """Remove the file of a run that is in the ledger, where everybody who gets its lease looks first."""
    _file(places, run).unlink(missing_ok=True)


class Lease(Protocol):
    """What one process at a time holds."""

    def acquire(self, seconds: float) -> bool:
        """Take it, waiting for at most about ``seconds``; False if another process has it."""

    def release(self) -> None:
        """Free it."""

    def taken(self) -> bool:
        """Whether another process has it."""


def _leases(places: Places, run: str) -> Iterator[Lease]:
    yield _Locked(places, run)
    if is_uri(places.outputs):
        yield _Stored(places, run)


class _Locked:
    """A locked file."""

    def __init__(self, places: Places, run: str) -> None:
        self.places, self.lock = places, FileLock(_file(places, run))

    def acquire(self, seconds: float) -> bool:
        try:
            Path(self.lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
            self.lock.acquire(timeout=seconds)
        except Timeout:
            return False
        except OSError as error:
            raise DataError(
                f"cannot write to {self.places.local}: {error.strerror}; choose another folder with --out."
            ) from None
        return True

    def release(self) -> None:
        self.lock.release()

    def taken(self) -> bool:
        if not Path(self.lock.lock_file).exists():
            return False
        try:
            # Held for a moment only. Another process that looks in this moment takes the run for one under way and
            # waits a little.
            with self.lock.acquire(timeout=0):
                return False
        except Timeout:
            return True


class _Stored:
    """An object in a store, whose troubles are one sentence."""

    def __init__(self, places: Places, run: str) -> None:
        self.places, self.lease = places, StoreLease(places, run)

    def acquire(self, seconds: float) -> bool:
        with self._in_words():
            return self.lease.acquire(seconds)

    def release(self) -> None:
        with suppress(Exception):  # the run is done, and a lease that is not renewed is free in a while
            self.lease.release()

    def taken(self) -> bool:
        with self._in_words():
            return self.lease.taken()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each store's library has errors of its own
            said = " ".join(str(error).split()) or type(error).__name__
            raise DataError(
                f"cannot keep leases in {self.places.outputs} ({said[:200]}); "
                "check its address, credentials and rights, or choose another place with --out."
            ) from None


def _file(places: Places, run: str) -> Path:
    return places.local / "leases" / f"{run}.lock"
