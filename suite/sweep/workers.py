"""The workers as Ray Tune sees them."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune import Callback, PlacementGroupFactory, Stopper

from suite.places import Places
from suite.spec.sweep import SweepSpec
from suite.sweep.environment import environment
from suite.sweep.worker import Worker

TURN = 5.0  # seconds of work between two reports to Tune, each of which costs the driver some milliseconds
PAUSE = 0.2  # seconds between questions while others may still return work
OVER = threading.Event()  # the driver's word that nothing is left to do


class Asking:
    """The coordinator's actor with the plain methods of the object inside."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: ray.get(getattr(self.actor, name).remote(*arguments))


class SweepWorker(tune.Trainable):
    """One worker: each step is a few seconds of running configurations, however many that are."""

    def setup(self, config: dict[str, Any]) -> None:
        """Take up the sweep; the method, the data and the ledger are opened once for all configurations."""
        os.environ.update(config["environment"])
        self.coordinator = Asking(config["coordinator"])
        self.worker = Worker(config["spec"], config["places"], self.coordinator)

    def step(self) -> dict[str, Any]:
        """Run work for a while; ``done`` when there is none left."""
        until = time.monotonic() + TURN
        while time.monotonic() < until:
            answer = self.coordinator.next(self.trial_id)
            if answer == "over":
                return {"done": True}
            if answer == "wait":
                time.sleep(PAUSE)
                continue
            self.coordinator.done(self.trial_id, answer.number, self.worker.run(answer))
        return {"done": False}


class Mourning(Callback):
    """Tells the coordinator of a worker that died, so that its work goes to others at once."""

    def __init__(self, coordinator: Any) -> None:
        self.coordinator = coordinator

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tune is about to start ``trial`` anew."""
        self.coordinator.lost.remote(trial.trial_id)


class WhenOver(Stopper):
    """Ends the experiment when the driver says so, workers that never got a place included."""

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        """Whether the sweep is over."""
        return OVER.is_set()


def tune_workers(spec: SweepSpec, places: Places, coordinator: Any, workers: int, scratch: Path) -> None:
    """Keep ``workers`` alive until the sweep is over."""
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"  # the ledger is the log
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"
    os.environ["TUNE_GLOBAL_CHECKPOINT_S"] = str(10**9)  # Tune is never restored
    name = f"{spec.name}-{uuid.uuid4().hex[:8]}"
    settings: dict[str, Any] = {"spec": spec, "places": places, "coordinator": coordinator}
    tuner = tune.Tuner(
        tune.with_resources(SweepWorker, _bundle(spec)),
        param_space={**settings, "environment": environment()["env_vars"]},
        tune_config=tune.TuneConfig(num_samples=workers, max_concurrent_trials=workers),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(scratch),
            verbose=0,
            stop=WhenOver(),
            callbacks=[Mourning(coordinator)],
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=-1),  # the coordinator gives up what kills its workers
        ),
    )
    try:
        tuner.fit()
    finally:
        shutil.rmtree(scratch / name, ignore_errors=True)


def _bundle(spec: SweepSpec) -> PlacementGroupFactory:
    """What a worker holds; one that nests Ray Train leaves CPUs and GPUs to Train's own workers."""
    if spec.resources.workers:
        return PlacementGroupFactory([{"memory": 1}])  # a byte: a bundle must hold something, CPUs are Train's
    held = {"CPU": spec.resources.cpu, "GPU": spec.resources.gpu}
    return PlacementGroupFactory([{kind: amount for kind, amount in held.items() if amount}])
