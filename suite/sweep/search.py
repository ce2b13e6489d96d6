"""Running a sweep: what the ledger lacks, on the pool of workers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from suite.errors import SuiteError
from suite.places import Places
from suite.spec.sweep import SweepSpec
from suite.sweep.check import check
from suite.sweep.files import store
from suite.sweep.source import SweepSource
from suite.sweep.standing import overall
from suite.sweep.trials import TrialPerformer
from suite.work.demand import Quota, Work
from suite.work.notes import noting
from suite.work.pool import work_on_ray
from suite.work.source import Watch


@dataclass(frozen=True)
class Swept:
    """How a sweep ended: its last snapshot, and whether it was interrupted."""

    snapshot: dict[str, Any]
    interrupted: bool = False


def run_sweep(
    spec: SweepSpec,
    places: Places,
    address: str | None = None,
    watch: Watch | None = None,
    quota: Quota | None = None,
) -> Swept:
    """Run what is left of ``spec``, holding no more than ``quota``; ``watch`` sees a snapshot every half second.

    Ctrl-C asks the running trials to stop at the end of their epoch and waits for that; a second one leaves at once.
    Either way the same call goes on from there.
    """
    places = places.absolute()
    packable = check(spec, places)
    with _only_one(spec, places):
        store(spec, places)
        here = SweepSource(spec, places, packable)
        # Asking this copy whether anything is left draws a proposal, which must not enter the journal.
        here.journal = here.journal.silent()
        last = here.snapshot()
        if here.settled():  # no cluster is needed
            return Swept(last)

        def note(snapshot: dict[str, Any]) -> None:
            nonlocal last
            last = snapshot
            notes.tell(overall(spec, snapshot))
            if watch is not None:
                watch(snapshot)

        source, performer = partial(SweepSource, spec, places, packable), partial(TrialPerformer, spec, places)
        title, limits = f"sweep {spec.name}", quota or Quota()
        work = Work(title, source, performer, spec.resources, spec.concurrency, quota=limits)
        with noting(places) as notes:
            over = work_on_ray(work, places, address, note)
        return Swept(last, not over)


@contextlib.contextmanager
def _only_one(spec: SweepSpec, places: Places) -> Iterator[None]:
    """Keep a second driver on this machine from running the same sweep into the same outputs."""
    from filelock import FileLock, Timeout

    folder = places.local / "sweeps" / spec.name
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise SuiteError(
            f"sweep {spec.name} is being run by another process into {places.outputs}; wait for it, or give --out."
        ) from None
    try:
        yield
    finally:
        lock.release()
