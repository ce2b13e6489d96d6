"""A pool of workers on Ray: Tune keeps them alive, one source beside the driver hands out their items.

A Tune trial here is a worker that carries out many items, not one of them. Starting a Tune trial costs 0.1 s even on a
reused actor, plus what the driver spends on each result; a network on given features trains in a second. So Tune does
what it is good at: it places workers on a cluster that may grow and shrink, holds their resources, and starts them anew
when a process or a node dies. Items are handed out by an actor for a few milliseconds each, and what is finished is in
the ledger before the source learns of it. Nothing of Tune's own state is kept: it is never restored.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from suite.errors import SuiteError
from suite.places import Places
from suite.work.aside import Aside
from suite.work.cluster import ClusterLostError, Probe, connected, token_hint
from suite.work.demand import Work, concurrency, holds_one
from suite.work.same_code import require_same_code
from suite.work.source import Watch

if TYPE_CHECKING:
    from suite.work.remote import RemoteSource

logger = logging.getLogger(__name__)

GRACE = 30.0  # seconds after Ctrl-C for the runs under way to stop at the end of their epoch
LOOK_EVERY = 0.5  # seconds between looks at the source
LOOKED_AT = 800.0  # workers of which a look may tell in a second
PATIENCE = 300.0  # seconds without any worker after which the cluster is taken for dead
GROWING = 1800.0  # the same for a cluster that has first to grow to hold one


def work_on_ray(work: Work, places: Places, address: str | None, watch: Watch) -> bool:
    """Carry out ``work`` on the cluster at ``address``, or on one of this machine; False when Ctrl-C ended it.

    ``watch`` sees a snapshot of the source every half second. Ctrl-C asks the runs under way to stop at the end of
    their epoch and waits for that; a second one leaves at once. When Ray dies that is a :class:`SuiteError` in one
    sentence. In every case the same call goes on from there.
    """
    if address is None and work.resources.gpu:
        _require_local_gpus(work)
    with connected(address, work.resources.total("cpu") * max(1, work.at_once)):
        import ray

        from suite.work.remote import start_source

        there = ray.cluster_resources()
        workers = int(min(concurrency(work, there, grows=address is not None), work.most))
        if address is not None:
            require_same_code(work.title)
        try:
            source = start_source(work.title, partial(work.source, workers))
        except ClusterLostError as error:
            raise SuiteError(f"{work.title} could not start: {error}{token_hint(address)}.") from error
        try:
            return _Watched(work, source, places, workers, watch).until_over()
        except ClusterLostError as error:
            raise SuiteError(f"{work.title} broke off: {error}; the same command goes on from there.") from error
        finally:
            with suppress(Exception):  # it may be dead already
                ray.kill(source.actor)


def _require_local_gpus(work: Work) -> None:
    """Say at once, before a local cluster starts, that this machine lacks the GPUs."""
    import torch

    concurrency(work, {"CPU": float("inf"), "GPU": float(torch.cuda.device_count())})


def waits_for_nobody(work: Work, silent: float) -> bool:
    """Whether workers missing for ``silent`` seconds are lost: nobody else holds the cluster, nor must it grow."""
    import ray

    if not holds_one(work, ray.cluster_resources()):
        return silent > GROWING
    return holds_one(work, ray.available_resources())


class _Watched:
    """Work under way: Tune in a thread of its own, this one looks after it and keeps Ctrl-C to itself."""

    def __init__(self, work: Work, source: RemoteSource, places: Places, workers: int, watch: Watch) -> None:
        self.work, self.source, self.workers, self.watch = work, source, workers, watch
        self.scratch = places.local.absolute() / ".tune"  # Tune needs a folder; nothing in it is read again
        self.tuning = Aside(self._tune)

    def until_over(self) -> bool:
        """Wait for the end, or for Ctrl-C and what follows; False in the second case."""
        from suite.work.tune_workers import OVER

        OVER.clear()
        self.tuning.start()
        try:
            self._look_after(float("inf"))
        except KeyboardInterrupt:
            logger.info("stopping: what is under way ends with its epoch; Ctrl-C again leaves at once")
            with suppress(ClusterLostError):  # what can no longer be asked is in the ledger
                self.source.stop()
                self._look_after(time.monotonic() + GRACE)
            return False
        if (error := self.tuning.error) is not None:
            raise ClusterLostError(f"{type(error).__name__}: {error}")
        if reason := self.source.why_broken():
            raise SuiteError(reason)
        self.source.close()
        return True

    def _look_after(self, until: float) -> None:
        from suite.work.tune_workers import OVER

        probe = Probe()
        while not self.tuning.over.is_set() and time.monotonic() < until:
            probe.check()
            self.watch(self.source.snapshot())
            if self.source.settled():
                OVER.set()  # workers that wait for resources which never come would keep Tune waiting
            elif (silent := self.source.silent()) > PATIENCE and waits_for_nobody(self.work, silent):
                raise ClusterLostError(f"no worker has been at work for {silent:.0f} s")
            self.tuning.over.wait(max(LOOK_EVERY, self.workers / LOOKED_AT))
        self.watch(self.source.snapshot())

    def _tune(self) -> None:
        from suite.work.tune_workers import tune_workers

        tune_workers(self.source.actor, self.work, self.workers, self.scratch)
