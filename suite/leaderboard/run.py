"""Carrying out what a plan leaves to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from suite.leaderboard.perform import Done, Execute, Performer
from suite.leaderboard.plan import Plan
from suite.leaderboard.pool import Pool, Room, Watch
from suite.places import Places
from suite.spec.board import BoardRun
from suite.work.execute import execute
from suite.work.preparation import Machine

# Starting a local Ray cluster and warming its workers costs about as much as this many seconds of training.
WORTHWHILE = 20.0


@dataclass
class Result:
    """What became of the runs to do: those that ended, by how; ``left`` were not begun or did not come to an end."""

    ended: list[Done] = field(default_factory=list)
    left: list[BoardRun] = field(default_factory=list)
    interrupted: bool = False

    def of(self, status: str) -> list[Done]:
        """Those that ended with ``status``."""
        return [done for done in self.ended if done.status == status]


def run_plan(
    plan: Plan,
    places: Places,
    *,
    room: Room | None = None,
    machine: Machine | None = None,
    watch: Watch | None = None,
    execute: Execute = execute,
) -> Result:
    """Carry out ``plan.todo``, longest first; a run that ended is in the ledger before ``watch`` hears of it.

    Ctrl-C ends it in good order: runs under way are asked to stop at their next epoch, and :class:`Result` says which
    were. ``watch`` is called with None now and then in between. Nothing is started when there is nothing to do.
    """
    room, machine = room or Room(), machine or Machine()
    todo, result = _longest_first(plan), Result()
    performer = Performer(places, machine, plan.board.name, execute)

    def tell(done: Done | None) -> None:
        if done is not None:
            result.ended.append(done)
        if watch is not None:
            watch(done)

    try:
        if todo and in_process(plan, room):
            _run_here(todo, performer, tell)
        elif todo:
            Pool(performer, room).run(todo, tell)
    except KeyboardInterrupt:
        result.interrupted = True
    ended = {done.asked.run for done in result.ended}
    result.left = [asked for asked in todo if asked.run not in ended]
    return result


def in_process(plan: Plan, room: Room) -> bool:
    """Whether the plan is better carried out in this process: asked to, or too small to be worth a cluster."""
    if room.address:
        return False
    seconds = plan.seconds()
    return room.jobs == 1 or len(plan.todo) == 1 or (seconds is not None and seconds < WORTHWHILE)


def _run_here(todo: Sequence[BoardRun], performer: Performer, watch: Watch) -> None:
    for asked in todo:
        watch(performer.perform(asked))


def _longest_first(plan: Plan) -> list[BoardRun]:
    """Long runs first, so that no core idles while the last one is under way; unknown ones before all."""
    return sorted(plan.todo, key=lambda asked: -(plan.timings.expected(asked.spec) or float("inf")))
