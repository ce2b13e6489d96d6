"""A pool of warm Ray actors: each imports the suite once and then carries out run after run."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from suite.errors import TrainingError
from suite.leaderboard.perform import Done, Execute, Performer, lost
from suite.places import Places
from suite.spec.board import BoardRun
from suite.work.launch import connect
from suite.work.preparation import Machine

INHERITED = ("SUITE_METHODS", "SUITE_DATASETS", "SUITE_DATA")  # user files that every worker must see
GRACE = 15.0  # seconds for runs under way to stop at their next epoch after Ctrl-C
TRIES = 2  # a worker may die by no fault of its run; twice is the run's

Watch = Callable[[Done | None], None]


@dataclass(frozen=True)
class Room:
    """What the pool may use: ``jobs`` runs at once (0: one a core), ``cpus`` and ``gpus`` (a share) a run."""

    jobs: int = 0
    cpus: float = 1.0
    gpus: float = 0.0
    address: str | None = None


class Worker:
    """What lives in an actor."""

    def __init__(self, places: Places, machine: Machine, group: str, execute: Execute) -> None:
        self.performer = Performer(places, machine, group, execute)

    def ready(self) -> bool:
        """Answers once the process is up and has imported what it needs."""
        return True

    def perform(self, asked: BoardRun) -> Done:
        """See :meth:`Performer.perform`."""
        return self.performer.perform(asked)

    def stop(self) -> None:
        """Ask the run under way to end early."""
        self.performer.stop.set()


@dataclass
class Pool:
    """Carries out runs in parallel; every run is recorded by the worker that did it."""

    performer: Performer
    room: Room
    idle: deque[Any] = field(default_factory=deque)
    hiring: dict[Any, Any] = field(default_factory=dict)
    running: dict[Any, tuple[Any, BoardRun]] = field(default_factory=dict)
    deaths: dict[str, int] = field(default_factory=dict)
    stillborn: int = 0

    def run(self, todo: Sequence[BoardRun], watch: Watch) -> None:
        """Carry out ``todo``; ``watch`` hears of each as it gets done, and None every half second in between.

        On Ctrl-C the runs under way are asked to stop at their next epoch, ``watch`` hears how they ended as far as
        they do within the grace, and the interrupt goes on to the caller. The workers are gone in any case.
        """
        import ray

        started = connect(self.room.address, self.room.jobs or os.cpu_count() or 1)
        try:
            self._hire(len(todo))
            self._dispatch(deque(todo), watch)
        except KeyboardInterrupt:
            self._wind_down(watch)
            raise
        finally:
            for worker in [*self.idle, *self.hiring.values(), *(worker for worker, _ in self.running.values())]:
                ray.kill(worker)
            if started:
                ray.shutdown()

    def _dispatch(self, waiting: deque[BoardRun], watch: Watch) -> None:
        import ray

        while waiting or self.running:
            while waiting and self.idle:
                self._start(self.idle.popleft(), waiting.popleft())
            ready, _ = ray.wait([*self.running, *self.hiring], timeout=0.5)
            if not ready:
                watch(None)
            for reference in ready:
                if reference in self.hiring:
                    self._welcome(reference)
                elif isinstance(ended := self._collect(reference), Done):
                    watch(ended)
                else:
                    waiting.appendleft(ended)

    def _wind_down(self, watch: Watch) -> None:
        import ray

        for worker, _ in self.running.values():
            worker.stop.remote()
        under_way = list(self.running)
        ready, _ = ray.wait(under_way, num_returns=len(under_way), timeout=GRACE) if under_way else ([], [])
        for reference in ready:
            ended = self._collect(reference)
            if isinstance(ended, Done):
                watch(ended)

    def _hire(self, count: int) -> None:
        import ray

        there = ray.cluster_resources()
        room = int(there.get("CPU", 1) // self.room.cpus) if self.room.cpus else count
        jobs = min(count, self.room.jobs or (room if self.room.address else os.cpu_count() or 1), max(1, room))
        for _ in range(jobs):
            self._hire_one()

    def _hire_one(self) -> None:
        """Ask for a worker; it gets runs once it is up (where a node was lost there may be no room for it any more)."""
        import ray

        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        actor: Any = ray.remote(Worker).options(
            num_cpus=self.room.cpus, num_gpus=self.room.gpus, max_concurrency=2, runtime_env={"env_vars": inherited}
        )
        own = self.performer
        worker = actor.remote(own.places.absolute(), own.machine, own.group, own.execute)
        self.hiring[worker.ready.remote()] = worker

    def _welcome(self, reference: Any) -> None:
        """A worker is up; one that dies on its way up is replaced a few times, then that is the error."""
        import ray
        from ray.exceptions import RayActorError

        worker = self.hiring.pop(reference)
        try:
            ray.get(reference)
        except RayActorError as error:
            self.stillborn += 1
            if self.stillborn > TRIES:
                raise TrainingError(f"workers die while starting ({error}); try --jobs 1.") from error
            self._hire_one()
        else:
            self.idle.append(worker)

    def _start(self, worker: Any, asked: BoardRun) -> None:
        self.running[worker.perform.remote(asked)] = (worker, asked)

    def _collect(self, reference: Any) -> Done | BoardRun:
        """What a worker did; or, where the worker died under it, the run to try again with a new one."""
        import ray
        from ray.exceptions import RayActorError

        worker, asked = self.running.pop(reference)
        try:
            done: Done = ray.get(reference)
        except RayActorError:
            self._hire_one()
            return self._mourn(asked)
        self.idle.append(worker)
        return done

    def _mourn(self, asked: BoardRun) -> Done | BoardRun:
        self.deaths[asked.run] = self.deaths.get(asked.run, 0) + 1
        if self.deaths[asked.run] < TRIES:
            return asked
        error = "its worker process was killed twice (out of memory?); run it alone with --jobs 1."
        self.performer.ledger.record(lost(asked, self.performer, error))
        return Done(asked, "failed", error=error)
