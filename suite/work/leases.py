"""Who is carrying out a run: two commands on one folder of results share the work instead of doing it twice.

A lease is a locked file beside the ledger. The system frees it when its holder dies, however it dies, so that nothing
expires and no clock matters. A file system that several machines share must pass locks on (NFS does since version 4);
where outputs are a URI, leases hold between the processes of one machine.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from suite.errors import DataError
from suite.places import Places

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
            lock = _lock(places, run)
            while not _acquired(lock, places):
                if got == "at once" and waiting is not None:
                    waiting()
                got = "after waiting"
                if not going():
                    yield "stopped"
                    return
            held.callback(lock.release)
        yield got


def taken(places: Places, run: str) -> bool:
    """Whether another process is carrying out ``run``."""
    lock = _lock(places, run)
    if not Path(lock.lock_file).exists():
        return False
    try:
        # Held for a moment only. Another process that looks in this moment takes the run for one under way and waits a
        # little.
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True


def forget(places: Places, run: str) -> None:
    """Remove the file of a run that is in the ledger, where everybody who gets its lease looks first."""
    Path(_lock(places, run).lock_file).unlink(missing_ok=True)


def _lock(places: Places, run: str) -> FileLock:
    return FileLock(places.local / "leases" / f"{run}.lock")


def _acquired(lock: FileLock, places: Places) -> bool:
    try:
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=LOOK_EVERY)
    except Timeout:
        return False
    except OSError as error:
        raise DataError(
            f"cannot write to {places.local}: {error.strerror}; choose another folder with --out."
        ) from None
    return True
