"""The runs of a leaderboard as a source of work."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from suite.leaderboard.perform import Done, in_words
from suite.leaderboard.plan import Plan
from suite.places import Places
from suite.spec.board import BoardRun
from suite.spec.resources import Resources
from suite.work.leases import taken
from suite.work.progress import Running
from suite.work.source import Source
from suite.work.worker import Runner

Queue = list[list[BoardRun]]


@dataclass(frozen=True)
class BoardSnapshot:
    """The runs that ended since the last snapshot, and those under way."""

    ended: list[Done]
    running: list[Running]


class BoardSource(Source):
    """Hands out ``queue`` from its beginning."""

    def __init__(self, queue: Queue, runner: Runner, workers: int = 1) -> None:
        super().__init__()
        self.queue, self.runner = deque(queue), runner
        self.ended: list[Done] = []

    def fresh(self) -> Sequence[BoardRun]:
        """The next runs that no other driver is carrying out."""
        for place, units in enumerate(self.queue):
            if not any(taken(self.runner.places, unit.run) for unit in units):
                del self.queue[place]
                return units
        return []

    def elsewhere(self) -> bool:
        """Whether other drivers are carrying out what is left: if they die, it is to do here."""
        return bool(self.queue)

    def key(self, unit: BoardRun) -> str:
        """The run's name."""
        return unit.run

    def take(self, units: Sequence[BoardRun], results: Sequence[Done]) -> Sequence[BoardRun]:
        """Nothing is handed out again: a run that was stopped goes on with the next command."""
        self.ended += results
        return []

    def give_up(self, unit: BoardRun, deaths: int) -> None:
        """Record the failure of a run that kills its workers."""
        error = f"its worker process died {deaths} times (killed, or out of memory); run it alone with --jobs 1."
        self.runner.record([self.runner.unfinished(unit.spec).failed(error)])
        self.ended.append(Done(unit, "failed", error=error))

    def describe(self, unit: BoardRun) -> str:
        """The run as the board's lines name it."""
        return in_words(unit)

    def snapshot(self) -> BoardSnapshot:
        """See :class:`BoardSnapshot`."""
        news, self.ended = self.ended, []
        return BoardSnapshot(news, self.running())


def queue_of(plan: Plan, places: Places, resources: Resources, packed: int) -> Queue:
    """What ``plan`` leaves to do, longest first, so that no worker idles while the last run is under way.

    Runs of unknown length come before all. Up to ``packed`` runs that may train as one stack go together.
    """
    packs = packed > 1 and not resources.workers
    queue, alone = _stacks(plan, places, resources.gpu > 0, packed) if packs else ([], list(plan.todo))
    queue += [[run] for run in alone]

    def expected(runs: list[BoardRun]) -> float:
        return plan.timings.total(run.spec for run in runs) or float("inf")

    return sorted(queue, key=expected, reverse=True)


def _stacks(plan: Plan, places: Places, gpu: bool, packed: int) -> tuple[Queue, list[BoardRun]]:
    """Runs that train faster as one stack, up to ``packed`` together, and those that are left."""
    from suite.work.packing import groups, pays  # brings torch
    from suite.work.preparation import prepare

    alone, queue = list(plan.todo), []
    for members in groups([run.spec for run in plan.todo]):
        together = [plan.todo[index] for index in members]
        first = prepare(together[0].spec, places)
        if pays(first.method, first.data, gpu):
            queue += [together[i : i + packed] for i in range(0, len(together), packed)]
            alone = [run for run in alone if run not in together]
    return queue, alone
