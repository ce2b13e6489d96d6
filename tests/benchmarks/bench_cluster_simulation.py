"""Boards and sweeps past this machine: the real sources and the real ledger, a virtual clock, and no training.

``python -m tests.benchmarks.bench_cluster_simulation [RUNS] [WORKERS ...] [--ledger OUTPUTS]``

Simulated workers ask the source for items, report their epochs and come back with results, each after a run time drawn
from those that a ledger recorded (without one, from an assumed spread); one item in a hundred kills its worker, which
starts again, and one in a hundred fails. What is measured is real: the seconds that this process computes in the source
(asked, answered, told of epochs), in the driver (its looks, and what it makes of them), and in the ledger (commits and
looks of workers while it holds so many runs). Each share is of the virtual time that the work took: at 100 % workers
begin to wait. Exponents are between a tenth of the runs and all of them: 1 is linear.
"""

from __future__ import annotations

import argparse
import heapq
import math
import os
import pickle
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.leaderboard.perform import Done
from suite.leaderboard.run import queue_of
from suite.leaderboard.source import BoardSource
from suite.leaderboard.tally import Tally
from suite.places import Places
from suite.results.ledger import Ledger
from suite.spec.base import validate
from suite.spec.resources import Resources
from suite.spec.sweep import SweepSpec
from suite.sweep.source import Ended, SweepSource
from suite.sweep.standing import overall
from suite.train.storage.reporter import Progress
from suite.work.machine import Machine
from suite.work.pool import LOOK_EVERY, LOOKED_AT
from suite.work.progress import brief
from suite.work.remote import REPORTS
from suite.work.source import Item, Source
from suite.work.worker import Runner
from tests.benchmarks.rows import Row, record
from tests.leaderboard.fakes import plan
from tests.results.ledgers import outcome
from tests.sweep.conftest import TOY, WORLD

# Seconds of a run where no ledger is given: assumed, from small networks on features to short trainings on videos.
ASSUMED = (1.5, 2.4, 3.1, 4.0, 5.2, 7.3, 10.8, 17.0, 31.0, 62.0)
DIES = FAILS = 0.01
STARTS = 10.0  # seconds until a worker that died asks again
WAITS = 0.2  # seconds between two questions of an idle worker


@dataclass
class Spent:
    """Seconds of computing by what they were spent on, and how often: what else this machine does is not counted."""

    seconds: dict[str, float] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        """Count what happens inside."""
        begun = time.process_time()
        yield
        self.seconds[what] = self.seconds.get(what, 0.0) + time.process_time() - begun
        self.calls[what] = self.calls.get(what, 0) + 1


class Simulation:
    """``workers`` carry out ``source`` in virtual time; ``end`` makes the results of an item, ``show`` is the driver's.

    A report of every run's progress each second would be millions of events of the same cost: one of each run is
    measured, and counted as often as it would be sent.
    """

    def __init__(self, source: Source, workers: int, end: Callable[[Item, bool, float], Any], show: Any, times: Any):
        self.source, self.workers, self.end, self.show, self.times = source, workers, end, show, times
        self.draw, self.spent, self.ended, self.events = random.Random(workers), Spent(), 0, 0
        self.busy = 0.0  # virtual seconds of all runs
        self.every = max(1.0, workers / REPORTS)

    def run(self) -> float:
        """The virtual seconds until all is done."""
        waiting = [(0.0, number, None) for number in range(self.workers)]
        heapq.heapify(waiting)
        look, now = 0.0, 0.0
        while waiting:
            now, number, item = heapq.heappop(waiting)
            while look <= now:
                self._look()
                look += max(LOOK_EVERY, self.workers / LOOKED_AT)
            again = self._turn(f"w{number}", item, now)
            if again is not None:
                heapq.heappush(waiting, (again[0], number, again[1]))
        return now

    def _turn(self, name: str, item: Any, now: float) -> tuple[float, Any] | None:
        """What a worker does at ``now``: when it will act again, and with what."""
        if item is not None and self.draw.random() < DIES:
            with self.spent.on("lost"):
                self.source.lost(name)
            return now + STARTS, None
        if item is not None:
            failed, seconds = self.draw.random() < FAILS, 1.0
            with self.spent.on("done"):
                self.source.done(name, item.number, self.end(item, failed, seconds))
            self.ended += len(item.units)
        with self.spent.on("next"):
            answer = self.source.next(name)
        if answer == "over":
            return None
        if answer == "wait":
            return now + max(WAITS, self.every), None
        seconds = self.times(self.draw)
        self.busy += seconds
        begun = time.process_time()
        self.source.report(brief(Progress("train", 3, 3, 10, {"train/loss": 1.0, "validation/mAP": 0.5})), name)
        reports = seconds / self.every
        spent = self.spent.seconds
        spent["reports"] = spent.get("reports", 0.0) + (time.process_time() - begun) * reports
        self.spent.calls["reports"] = self.spent.calls.get("reports", 0) + math.ceil(reports)
        return now + seconds, answer

    def _look(self) -> None:
        with self.spent.on("look"):
            snapshot = pickle.dumps(self.source.snapshot())
        with self.spent.on("driver"):
            self.show(pickle.loads(snapshot))


def board(runs: int, workers: int, places: Places, times: Any) -> Simulation:
    """A board of ``runs`` runs."""
    asked = plan(Ledger(places.ledger), runs)
    runner, tally = Runner(places, Machine(), "bench"), Tally(asked)
    source = BoardSource(queue_of(asked, places, Resources(), 0), runner, workers)
    source.give_up = lambda unit, deaths: source.ended.append(Done(unit, "failed"))  # type: ignore[method-assign]

    def end(item: Item, failed: bool, seconds: float) -> Any:
        return [Done(unit, "failed" if failed else "finished", seconds) for unit in item.units]

    return Simulation(source, workers, end, lambda snapshot: tally.standing(snapshot).line(), times)


def sweep(runs: int, workers: int, places: Places, times: Any, **more: Any) -> Simulation:
    """A sweep of ``runs`` trials."""
    base: dict[str, Any] = {"name": "bench", "methods": ["toy"], "datasets": [WORLD], "default": False}
    base |= {"space": {"q": {}, "beta": {}}, "sampler": "random", "budget": {"trials": runs}, "packed": 0}
    spec = validate(SweepSpec, {**base, **more}, "the benchmark")
    source = SweepSource(spec, places, workers=workers)
    source.give_up = lambda unit, deaths: source._close(unit, Ended(unit.proposal.number, "failed"))  # type: ignore[method-assign]

    def end(item: Item, failed: bool, seconds: float) -> Any:
        ends = [(unit.proposal.number, unit.proposal.values) for unit in item.units]
        return [Ended(n, "failed") if failed else Ended(n, "complete", (float(v["q"]),)) for n, v in ends]

    return Simulation(source, workers, end, lambda snapshot: overall(spec, snapshot).line(), times)


def grid(runs: int, workers: int, places: Places, times: Any) -> Simulation:
    """A grid of about ``runs`` points."""
    side = round(math.sqrt(runs))
    axes = {name: {"points": side} for name in ("q", "beta")}
    return sweep(runs, workers, places, times, sampler="grid", space=axes, budget={})


def ledger_costs(sizes: list[int], folder: str) -> dict[int, tuple[float, float]]:
    """Seconds of one commit, and of one look for what is finished, while a ledger holds so many runs."""
    ledger, found, held = Ledger(f"{folder}/ledger"), {}, 0
    for size in sizes:
        while held < size:
            several = [outcome(seed=held + number) for number in range(min(500, size - held))]
            ledger.record_all(several)
            held += len(several)
        begun = time.process_time()
        for number in range(20):
            ledger.record(outcome("other", size + number))
        commit, begun = (time.process_time() - begun) / 20, time.process_time()
        for _ in range(5):
            ledger.finished()
        found[size] = (commit, (time.process_time() - begun) / 5)
        held += 20
    return found


def drawn(outputs: str) -> Callable[[random.Random], float]:
    """Run times as a ledger recorded them."""
    if not outputs:
        return lambda draw: draw.choice(ASSUMED)
    seconds = Ledger.of(outputs).runs().filter(status="finished")["seconds"].drop_nulls().to_list()
    return lambda draw: draw.choice(seconds)


def report(name: str, make: Callable[..., Simulation], runs: int, workers: int, times: Any) -> None:
    """Print what ``runs`` cost on ``workers``, and how that grew from a tenth of them."""
    costs = []
    for count in (runs // 10, runs):
        with tempfile.TemporaryDirectory() as folder:
            simulation = make(count, workers, Places(folder), times)
            virtual = simulation.run()
            costs.append((simulation.ended, simulation.spent, virtual))
    (few, before, _), (many, after, virtual) = costs
    share, each = simulation.busy / workers / virtual, sum(after.seconds.values()) / many
    what = f"driver and coordinator on a run, {name} of {many} runs on {workers} workers"
    record(Row("cluster_simulation", what, "", None, each, share, bound="the runs, of the workers' time"))
    for what, seconds in sorted(after.seconds.items(), key=lambda one: -one[1]):
        grown = math.log(seconds / before.seconds.get(what, seconds)) / math.log(many / few)
        each, share = 1000 * seconds / after.calls[what], 100 * seconds / virtual
        print(f"  {what:<8} {each:8.3f} ms a call, {share:6.2f} % of the time, exponent {grown:.2f}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=int, nargs="?", default=10_000)
    parser.add_argument("workers", type=int, nargs="*", default=[256, 4096])
    parser.add_argument("--ledger", default="", help="outputs whose recorded run times are drawn from")
    given = parser.parse_args()
    os.environ["SUITE_METHODS"] = str(TOY)
    times = drawn(given.ledger)
    for workers in given.workers:
        for name, make in (("board", board), ("sweep, random", sweep), ("sweep, grid", grid)):
            report(name, make, given.runs, workers, times)
    with tempfile.TemporaryDirectory(dir=Path(tempfile.gettempdir())) as folder:
        for size, (commit, look) in ledger_costs([100, given.runs // 10, given.runs], folder).items():
            print(
                f"ledger of {size} runs: {1000 * commit:.1f} ms a commit, {1000 * look:.1f} ms to see what is finished"
            )


if __name__ == "__main__":
    main()
