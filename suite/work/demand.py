"""What a pool is to carry out, and how much of a cluster it may hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from suite.errors import UsageError
from suite.spec.resources import Resources
from suite.work.source import Source, Supply
from suite.work.worker import Performer


@dataclass(frozen=True)
class Quota:
    """The most CPUs and GPUs that a command may hold at once (None: no limit)."""

    cpus: float | None = None
    gpus: float | None = None

    def of(self, kind: str) -> float | None:
        """The limit of ``CPU`` or ``GPU``."""
        return self.cpus if kind == "CPU" else self.gpus


@dataclass(frozen=True)
class Work:
    """What a pool carries out: ``source`` makes the object that hands out items, given the number of workers;
    ``performer`` makes, in every worker, what carries them out.

    ``at_once`` workers hold ``resources`` each (0: as many as the cluster holds), but no more than ``most``, nor than
    ``quota`` allows.
    """

    title: str  # "sweep neighbours", for messages
    source: Callable[[int], Source]
    performer: Callable[[Supply], Performer]
    resources: Resources
    at_once: int = 0
    most: float = float("inf")
    quota: Quota = field(default_factory=Quota)


def concurrency(work: Work, there: dict[str, float], grows: bool = False) -> int:
    """How many workers to start: as many as asked for, or as many as the cluster ``there`` holds and the quota allows.

    A cluster that ``grows`` is asked for what the quota allows, even where it does not hold that now. Raises
    :class:`UsageError` when the cluster cannot hold them, or the quota not one.
    """
    room = dict(there)
    for kind, need in _needs(work).items():
        limit = work.quota.of(kind)
        if limit is None:
            continue
        if need > limit + 1e-9:
            raise UsageError(
                f"{work.title} needs {need:g} {kind}s for a run, more than --max-{kind.lower()}s {limit:g}; "
                "raise that, or ask for fewer resources."
            )
        # Workers of Ray Train hold nothing of their own in the pool: more of them than there is room would block all.
        waits = grows and not work.resources.workers
        room[kind] = limit if waits else min(limit, there.get(kind, 0.0))
    limits = [(work.quota.of(kind), need) for kind, need in _needs(work).items() if need]
    allowed = min((limit / need for limit, need in limits if limit is not None), default=float("inf"))
    at_once = int(min(work.at_once, allowed + 1e-9))
    _require_room(work, room, at_once)
    return at_once or max(1, int(min(room[kind] / need + 1e-9 for kind, need in _needs(work).items() if need)))


def _needs(work: Work) -> dict[str, float]:
    """What one worker holds."""
    return {"CPU": work.resources.total("cpu"), "GPU": work.resources.total("gpu")}


def _require_room(work: Work, room: dict[str, float], at_once: int) -> None:
    for kind, need in _needs(work).items():
        wanted = need * max(1, at_once)
        if wanted > room.get(kind, 0.0) + 1e-9:
            runs = f"{at_once} runs at once" if at_once > 1 else "a run"
            raise UsageError(
                f"{work.title} needs {wanted:g} {kind}s for {runs}, but the cluster has {room.get(kind, 0.0):g}; "
                f"ask for less at once, or for fewer resources (one that grows is told how far: --max-{kind.lower()}s)."
            )


def holds_one(work: Work, there: dict[str, float]) -> bool:
    """Whether the cluster ``there`` has room for a worker."""
    return all(need <= there.get(kind, 0.0) + 1e-9 for kind, need in _needs(work).items())
