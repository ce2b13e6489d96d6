"""Running a sweep: Ray Tune keeps the workers, one coordinator hands out Optuna's proposals.

A Tune trial here is a worker that runs many configurations, not one configuration. Starting a Tune trial costs 0.1 s
even on a reused actor, plus what the driver spends on each result; a network on given features trains in a second. So
Tune does what it is good at: it places workers on a cluster that may grow and shrink, holds their resources, and
starts them anew when a process or a node dies. Configurations are handed out by an actor beside the driver for a few
milliseconds each, in batches where the sampler allows it, and what is finished is in the ledger before anybody hears of
it. Nothing of Tune's own state is kept: it is never restored.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.errors import SuiteError, UsageError
from suite.places import Places
from suite.spec.sweep import Resources, SweepSpec
from suite.sweep.check import check
from suite.sweep.coordinator import Coordinator
from suite.sweep.environment import environment
from suite.sweep.files import store
from suite.work.launch import connect

GRACE = 30.0  # seconds after Ctrl-C for the running trials to stop at the end of their epoch
LOOK_EVERY = 0.5  # seconds between looks at the coordinator

Watch = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Swept:
    """How a sweep ended: its last snapshot; ``abandoned`` says what was running when it was interrupted."""

    snapshot: dict[str, Any]
    interrupted: bool = False
    abandoned: list[str] = field(default_factory=list)


def run_sweep(spec: SweepSpec, places: Places, address: str | None = None, watch: Watch | None = None) -> Swept:
    """Run what is left of ``spec``; ``watch`` sees a snapshot every half second.

    Ctrl-C asks the running trials to stop at the end of their epoch, waits for that and says what was abandoned; a
    second one leaves at once. Either way the same call goes on from there.
    """
    places = places.absolute()
    packable = check(spec, places)
    if address is None:
        _require_local(spec)
    with _only_one(spec, places):
        store(spec, places)
        if _nothing_left(spec, places, packable):
            return Swept(Coordinator(spec, places, packable).snapshot())
        return _run_on_cluster(spec, places, address, packable, watch or (lambda snapshot: None))


def _run_on_cluster(spec: SweepSpec, places: Places, address: str | None, packable: list[bool], watch: Watch) -> Swept:
    import ray

    started = connect(address, max(0, round(_cpus(spec.resources) * max(1, spec.concurrency)) - 1))
    coordinator: Any = None
    try:
        workers = concurrency(spec, ray.cluster_resources())
        coordinator = _coordinator(spec, places, packable, workers)
        return _Run(spec, places, coordinator, workers, watch).until_over()
    except ray.exceptions.RayActorError as error:
        raise SuiteError(f"the coordinator of sweep {spec.name} died; the same command goes on from there.") from error
    finally:
        if coordinator is not None:
            ray.kill(coordinator)
        if started:
            ray.shutdown()


def concurrency(spec: SweepSpec, there: dict[str, float]) -> int:
    """How many workers to start: as the file says, or as many as the cluster ``there`` holds.

    Raises :class:`UsageError` when the cluster cannot hold them.
    """
    needs = {"CPU": _cpus(spec.resources), "GPU": spec.resources.gpu * max(1, spec.resources.workers)}
    for kind, need in needs.items():
        wanted = need * max(1, spec.concurrency)
        if wanted > there.get(kind, 0.0) + 1e-9:
            trials = f"{spec.concurrency} trials at once" if spec.concurrency > 1 else "a trial"
            raise UsageError(
                f"sweep {spec.name} needs {wanted:g} {kind}s for {trials}, but the cluster "
                f"has {there.get(kind, 0.0):g}; lower resources or concurrency."
            )
    return spec.concurrency or max(1, int(min(there[kind] / need for kind, need in needs.items() if need)))


def _cpus(resources: Resources) -> float:
    """CPUs of one trial; a trial with Ray Train workers leaves them to those."""
    return resources.cpu * max(1, resources.workers)


def _require_local(spec: SweepSpec) -> None:
    """Say at once, before a local cluster starts, that this machine lacks the GPUs."""
    if spec.resources.gpu > 0:
        import torch

        concurrency(spec, {"CPU": float("inf"), "GPU": float(torch.cuda.device_count())})


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


def _nothing_left(spec: SweepSpec, places: Places, packable: list[bool]) -> bool:
    """Whether the ledger has everything, so that no cluster is needed."""
    coordinator = Coordinator(spec, places, packable)
    coordinator.journal = coordinator.journal.silent()
    return coordinator.settled()


def _coordinator(spec: SweepSpec, places: Places, packable: list[bool], workers: int) -> Any:
    """The coordinator as an actor on the driver's node."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor: Any = ray.remote(Coordinator).options(num_cpus=0, scheduling_strategy=here, runtime_env=environment())
    coordinator = actor.remote(spec, places, packable, workers)
    ray.get(coordinator.going.remote())
    return coordinator


class _Run:
    """A sweep under way: Tune in a thread of its own, this one looks after it and keeps Ctrl-C to itself."""

    def __init__(self, spec: SweepSpec, places: Places, coordinator: Any, workers: int, watch: Watch) -> None:
        self.spec, self.places, self.coordinator = spec, places, coordinator
        self.workers, self.watch = workers, watch
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._tune, daemon=True)

    def until_over(self) -> Swept:
        """Wait for the end, or for Ctrl-C and what follows."""
        import ray

        from suite.sweep.workers import OVER

        OVER.clear()
        self.thread.start()
        try:
            self._look_after(float("inf"))
        except KeyboardInterrupt:
            self.coordinator.stop.remote()
            self._look_after(time.monotonic() + GRACE)
            snapshot = ray.get(self.coordinator.snapshot.remote())
            return Swept(snapshot, True, ray.get(self.coordinator.abandoned.remote()))
        if self.error is not None:
            raise SuiteError(f"sweep {self.spec.name} broke off ({self.error}); the same command goes on from there.")
        snapshot = ray.get(self.coordinator.snapshot.remote())
        ray.get(self.coordinator.close.remote())
        return Swept(snapshot)

    def _look_after(self, until: float) -> None:
        import ray

        from suite.sweep.workers import OVER

        while self.thread.is_alive() and time.monotonic() < until:
            self.watch(ray.get(self.coordinator.snapshot.remote()))
            if ray.get(self.coordinator.settled.remote()):
                OVER.set()  # workers that wait for resources which never come would keep Tune waiting
            self.thread.join(LOOK_EVERY)

    def _tune(self) -> None:
        from suite.sweep.workers import tune_workers

        try:
            tune_workers(self.spec, self.places, self.coordinator, self.workers, _scratch(self.places))
        except BaseException as error:
            self.error = error


def _scratch(places: Places) -> Path:
    """Where Tune wants a folder; nothing in it is read again."""
    folder = places.local.absolute() / "sweeps" / ".tune"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
