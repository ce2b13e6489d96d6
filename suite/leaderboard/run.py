"""Carrying out what a plan leaves to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from suite.leaderboard.perform import BoardPerformer, Done
from suite.leaderboard.plan import Plan
from suite.leaderboard.source import BoardSnapshot, BoardSource, queue_of
from suite.leaderboard.tally import Tally
from suite.places import Places
from suite.spec.board import BoardRun
from suite.spec.resources import Resources
from suite.work.demand import Quota, Work
from suite.work.machine import Machine
from suite.work.notes import noting
from suite.work.pool import work_on_ray
from suite.work.progress import Standing
from suite.work.worker import Execute, Runner, work_here

if TYPE_CHECKING:
    from suite.train.storage.keeping import Keep

# Starting a local Ray cluster and warming its workers costs about as much as this many seconds of training.
WORTHWHILE = 20.0

Watch = Callable[[list[Done]], None]
Show = Callable[[Standing], None]


@dataclass(frozen=True)
class Terms:
    """How to carry out a plan: ``jobs`` runs at once (0: as many as fit; 1: in this process) with ``resources`` each.

    ``address`` is that of a cluster (None: one of this machine); up to ``packed`` runs are trained as one stack. No
    more is held at once than ``quota`` allows. ``keep`` and ``log`` say whose weights are kept and which trackers get
    curves, as in :class:`Machine`.
    """

    jobs: int = 0
    resources: Resources = field(default_factory=Resources)
    address: str | None = None
    packed: int = 0
    quota: Quota = field(default_factory=Quota)
    keep: Keep = "none"
    log: tuple[str, ...] = ()


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
    terms: Terms | None = None,
    watch: Watch | None = None,
    execute: Execute | None = None,
    show: Show | None = None,
) -> Result:
    """Carry out ``plan.todo``, longest first; a run that ended is in the ledger before ``watch`` is called with it.

    Ctrl-C ends it in good order: runs under way on Ray are asked to stop at their next epoch, and :class:`Result` says
    which were. ``watch`` is called without runs now and then in between, and ``show`` each time with where
    the board stands, which is noted beside the ledger, too. Nothing is started when nothing is to do.
    """
    terms, result = terms or Terms(), Result()
    runner = Runner(places.absolute(), Machine.of(terms.resources, terms.keep, terms.log), plan.board.name, execute)

    tally = Tally(plan)

    def note(snapshot: BoardSnapshot) -> None:
        result.ended += snapshot.ended
        standing = tally.standing(snapshot)
        notes.tell(standing)
        if watch is not None:
            watch(snapshot.ended)
        if show is not None:
            show(standing)

    if plan.todo:
        with noting(runner.places) as notes:
            result.interrupted = not _carry_out(plan, runner, terms, note)
    ended = {done.asked.run for done in result.ended}
    result.left = [run for run in plan.todo if run.run not in ended]
    return result


def _carry_out(plan: Plan, runner: Runner, terms: Terms, watch: Callable[[BoardSnapshot], None]) -> bool:
    """Whether it came to its end."""
    queue = queue_of(plan, runner.places, terms.resources, terms.packed)
    performer = partial(BoardPerformer, runner)
    if in_process(plan, terms):
        source = BoardSource(queue, runner)
        return work_here(source, performer(source), watch)
    source_of = partial(BoardSource, queue, runner)
    title, held = f"leaderboard {plan.board.name}", terms.resources
    work = Work(title, source_of, performer, held, terms.jobs, len(queue), terms.quota)
    return work_on_ray(work, runner.places, terms.address, watch)


def in_process(plan: Plan, terms: Terms) -> bool:
    """Whether the plan is better carried out in this process: asked to, or too small to be worth a cluster."""
    if terms.address or terms.resources.workers:
        return False
    seconds = plan.seconds()
    return terms.jobs == 1 or len(plan.todo) == 1 or (seconds is not None and seconds < WORTHWHILE)
