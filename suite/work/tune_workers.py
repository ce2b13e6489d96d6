"""The workers of a pool as Ray Tune sees them."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune import Callback, PlacementGroupFactory, Stopper

from suite.spec.resources import Resources
from suite.work.environment import environment
from suite.work.remote import RemoteSource
from suite.work.source import Supply
from suite.work.worker import Performer, Worker

TURN = 5.0  # seconds of work between two reports to Tune, each of which costs the driver some milliseconds
OVER = threading.Event()  # set by the driver when nothing is left to do; global, as Tune copies its arguments


class TuneWorker(tune.Trainable):
    """One worker: each step is a few seconds of carrying out items, however many that are."""

    def setup(self, config: dict[str, Any]) -> None:
        """Make what carries out the items; the method, the data and the ledger are opened once for all of them."""
        os.environ.update(config["environment"])
        source = RemoteSource(config["source"])
        self.worker = Worker(self.trial_id, source, config["performer"](source))

    def step(self) -> dict[str, Any]:
        """Carry out items for a while; ``done`` when none is left."""
        until = time.monotonic() + TURN
        going = True
        while going and time.monotonic() < until:
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


def tune_workers(
    source: Any, performer: Callable[[Supply], Performer], resources: Resources, workers: int, scratch: Path
) -> None:
    """Keep ``workers`` with ``resources`` each alive until the work is over; ``source`` is the source's actor."""
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"  # the ledger is the log
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # of each lost worker it would print a stack
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"
    os.environ["TUNE_GLOBAL_CHECKPOINT_S"] = str(10**9)  # Tune is never restored
    name = uuid.uuid4().hex
    tuner = tune.Tuner(
        tune.with_resources(TuneWorker, _bundle(resources)),
        param_space={"source": source, "performer": performer, "environment": environment()},
        tune_config=tune.TuneConfig(num_samples=workers, max_concurrent_trials=workers),
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


def _bundle(resources: Resources) -> PlacementGroupFactory:
    """What a worker holds; one that nests Ray Train leaves CPUs and GPUs to Train's own workers."""
    if resources.workers:
        return PlacementGroupFactory([{"memory": 1}])  # a byte: a bundle must hold something, CPUs are Train's
    held = {"CPU": resources.cpu, "GPU": resources.gpu}
    return PlacementGroupFactory([{kind: amount for kind, amount in held.items() if amount}])
