"""Trackers that talk to services, and write to a folder where there is none: Weights & Biases, MLflow."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from typing import Any

from suite.tracking.base import PROJECT, Point, Tracked, flat, name_of

UNNAMED = re.compile(r"[^\w\-. :/]")  # characters that MLflow takes in no name
AT_ONCE = 500  # metrics in a batch of MLflow, which takes 1000
LONGEST = 500  # characters of a parameter of MLflow


class WandbTracker:
    """A run of Weights & Biases under the run's id; offline where WANDB_MODE says so or nobody is logged in."""

    def __init__(self, tracked: Tracked) -> None:
        import wandb

        folder = tracked.folder / "wandb"
        folder.mkdir(parents=True, exist_ok=True)
        mode: Any = os.environ.get("WANDB_MODE") or ("online" if wandb.api.api_key else "offline")
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            id=tracked.run,
            name=tracked.title,
            group=tracked.group or None,
            config=dict(tracked.config),
            dir=str(folder),
            mode=mode,
            resume="allow" if mode == "online" else None,
            reinit="create_new",  # several runs of a stack train in one process
            settings=wandb.Settings(silent=True, console="off"),
        )

    def log(self, points: Sequence[tuple[int, Point]]) -> None:
        """See :class:`suite.tracking.base.Tracker`."""
        together: dict[int, dict[str, float]] = {}
        for step, point in points:
            together.setdefault(step, {})[name_of(point)] = point["value"]
        for step, values in together.items():
            self.run.log(values, step=step)

    def close(self, status: str) -> None:
        """See :class:`suite.tracking.base.Tracker`."""
        self.run.finish(exit_code=0 if status == "finished" else 1)


class MlflowTracker:
    """A run of MLflow; where MLFLOW_TRACKING_URI names no server, in a file store below the outputs."""

    def __init__(self, tracked: Tracked) -> None:
        # Since its third version the library asks for this where files alone are the store, which need no database.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        from mlflow.tracking import MlflowClient

        folder = tracked.folder / "mlflow"
        self.client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or folder.absolute().as_uri())
        name = f"{PROJECT}: {tracked.group}" if tracked.group else PROJECT
        found = self.client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else self.client.create_experiment(name)
        tags = {"mlflow.runName": tracked.title, "suite.run": tracked.run}
        self.id = self.client.create_run(experiment, tags=tags).info.run_id
        for key, value in flat(tracked.config).items():
            self.client.log_param(self.id, UNNAMED.sub("_", key), str(value)[:LONGEST])

    def log(self, points: Sequence[tuple[int, Point]]) -> None:
        """See :class:`suite.tracking.base.Tracker`."""
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [Metric(UNNAMED.sub("_", name_of(p)), p["value"], now, step) for step, p in points]
        for start in range(0, len(metrics), AT_ONCE):
            self.client.log_batch(self.id, metrics=metrics[start : start + AT_ONCE])

    def close(self, status: str) -> None:
        """See :class:`suite.tracking.base.Tracker`."""
        self.client.set_terminated(self.id, "FINISHED" if status == "finished" else "FAILED")
