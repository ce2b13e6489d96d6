"""The workers of a pool as Ray Tune sees them."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray import tune
from ray.tune import Callback, PlacementGroupFactory, Stopper

from suite.spec.resources import Resources
from suite.work.environment import environment
from suite.work.remote import RemoteSource
from suite.work.same_code import code_print, complaint, here
from suite.work.worker import Worker

if TYPE_CHECKING:
    from suite.work.demand import Work

TURN = 5.0  # seconds of work between two reports to Tune, each of which costs the driver some milliseconds
OVER = threading.Event()  # set by the driver when nothing is left to do; global, as Tune copies its arguments


class TuneWorker(tune.Trainable):
    """One worker: each step is a few seconds of carrying out items, however many that are."""

    worker: Worker | None = None

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> PlacementGroupFactory:
        """What a worker holds; said here, as ``tune.with_resources`` would show its own class in Ray's dashboard."""
        return _bundle(config["resources"])

    def setup(self, config: dict[str, Any]) -> None:
        """Make what carries out the items; the method, the data and the ledger are opened once for all of them."""
        os.environ.update(config["environment"])
        source, title = RemoteSource(config["source"], self.trial_id, config["workers"]), config["title"]
        self.name = f"suite {title}: {_numbered(self.trial_id)}"
        host, found = here()
        if found != config["code"]:  # a node that joined with an older image, say: nothing may be computed with it
            source.break_off(self.trial_id, f"{complaint(title, [host])}; the same command goes on from there.")
            return
        self.worker = Worker(self.trial_id, source, config["performer"](source))

    def __repr__(self) -> str:  # what Ray's dashboard shows
        return self.name

    def step(self) -> dict[str, Any]:
        """Carry out items for a while; ``done`` when none is left."""
        until = time.monotonic() + TURN
        going = self.worker is not None
        while self.worker is not None and going and time.monotonic() < until:
            going = self.worker.step()
        return {"done": not going}


class ReportLost(Callback):
    """Tells the source of a worker that died, so that its items go to others at once."""

    def __init__(self, source: Any) -> None:
        self.source = source

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tune is about to start ``trial`` anew."""
        self.source.call.remote("lost", trial.trial_id)


class WhenOver(Stopper):
    """Ends the experiment when the driver says so, workers that never got a place included."""

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        """Whether the work is over."""
        return OVER.is_set()


def tune_workers(source: Any, work: Work, workers: int, scratch: Path) -> None:
    """Keep ``workers`` with the resources of ``work`` alive until it is over; ``source`` is the source's actor."""
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"  # the ledger is the log
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # of each lost worker it would print a stack
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"
    os.environ["TUNE_GLOBAL_CHECKPOINT_S"] = str(10**9)  # Tune is never restored
    name = f"suite {work.title} {uuid.uuid4().hex[:8]}".replace(" ", "-")
    given = {"source": source, "performer": work.performer, "environment": environment(), "resources": work.resources}
    tuner = tune.Tuner(
        TuneWorker,
        param_space={**given, "title": work.title, "workers": workers, "code": code_print()},
        tune_config=tune.TuneConfig(
            num_samples=workers,
            max_concurrent_trials=workers,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(scratch),
            verbose=0,
            stop=WhenOver(),
            callbacks=[ReportLost(source)],
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=-1),  # the source gives up what kills its workers
        ),
    )
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        tuner.fit()
    finally:
        shutil.rmtree(scratch / name, ignore_errors=True)


def _numbered(trial: str) -> str:
    """A worker's place among the others: the last part of Tune's name for it."""
    return f"worker {int(trial.rpartition('_')[2]) + 1}"


def _name(trial: Any) -> str:
    return _numbered(trial.trial_id).replace(" ", "-")


def _bundle(resources: Resources) -> PlacementGroupFactory:
    """What a worker holds; one that nests Ray Train leaves CPUs and GPUs to Train's own workers."""
    if resources.workers:
        return PlacementGroupFactory([{"memory": 1}])  # a byte: a bundle must hold something, CPUs are Train's
    held = {"CPU": resources.cpu, "GPU": resources.gpu}
    return PlacementGroupFactory([{kind: amount for kind, amount in held.items() if amount}])
