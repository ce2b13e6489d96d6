"""Small worlds and trainings for the tests of actor detection."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from suite.data import load
from suite.errors import DataError
from suite.method import Method
from suite.tasks import task
from suite.tasks.actors.samples import Actors
from suite.tasks.actors.tables import BoxTable, assemble
from suite.tasks.data import TaskData
from suite.train.loop import train
from suite.train.training import Settings, Trained, Training

SMALL = {"train_videos": 12, "validation_videos": 3, "test_videos": 8, "key_frames": 8, "classes": 10, "poses": 4}
QUICK = {
    "steps": 60,
    "semi_steps": 60,
    "evaluate_steps": 30,
    "batch": 8,
    "lr": 0.5,
    "semi_lr": 0.1,
    "hidden": 32,
    "rule": "sgd",
    "weight_decay": 1e-7,
}
CLIP = {"steps": 4, "semi_steps": 4, "evaluate_steps": 2, "batch": 2, "lr": 0.05, "semi_lr": 0.01}
TINY = {"width": 4, "beta_inverse": 2, "blocks": "1-1", "alpha": 2, "dropout": 0.0}


def small_world(cache: Path, **dials: Any) -> TaskData[Actors]:
    """planted-actors with few videos and classes."""
    return load("planted-actors", cache=cache, dials={**SMALL, **dials})


class Runnable(Training):
    """A training with the loop at hand."""

    def train(self) -> Trained:
        """Run it to its end."""
        return train(self)


def training(method: Method, data: TaskData[Any], seed: int = 0, device: str = "cpu") -> Runnable:
    """A training of ``method`` that is ready to run."""
    return Runnable(method, data, task("actor-detection"), Settings(seed=seed, device=device))


def headline(trained: Any, split: str = "test", selection: str = "last") -> float:
    """The mAP of a finished training."""
    return next(m.value for m in trained.points[selection].metrics[split] if m.metric == "mAP")


class NoiseClips:
    """Clips of noise in memory, of two sizes; some do not decode."""

    def __init__(self, count: int, broken: tuple[int, ...] = (), frames: int = 8) -> None:
        self.count, self.broken, self.frames, self.asked = count, broken, frames, 0

    def clip(self, index: int) -> np.ndarray:
        self.asked += 1
        if index in self.broken:
            raise DataError(f"clip {index} does not decode; get the file anew.")
        size = (32, 40) if index % 3 else (40, 32)
        return np.random.default_rng(index).integers(0, 255, (self.frames, *size, 3)).astype(np.uint8)

    def take(self, index: np.ndarray) -> NoiseClips:
        return self


def clip_world(broken: tuple[int, ...] = (), classes: int = 4, clips: int = 10, **facts: Any) -> TaskData[Actors]:
    """Ten clips of noise a split with up to three people; half of the training clips have no labels."""
    splits = {}
    for number, split in enumerate(("train", "validation", "test")):
        generator = np.random.default_rng(number)
        people = [1 + clip % 3 for clip in range(clips)]
        second = np.repeat(np.arange(clips, dtype=float), people)
        low = generator.uniform(0, 0.5, size=(len(second), 2))
        boxes = np.hstack([low, low + generator.uniform(0.1, 0.5, size=(len(second), 2))])
        labels = generator.random((len(second), classes)) < 0.4
        video = np.array([f"{split}-{int(s)}" for s in second])
        table = BoxTable(video, second, boxes, labels, np.ones(len(second)))
        actors = assemble(table, labelled=second < clips / 2 if split == "train" else None)
        splits[split] = replace(actors, frames=NoiseClips(clips, broken))
    names = tuple(f"class {c}" for c in range(classes))
    return TaskData("noise", "actor-detection", names, **splits, facts=facts)
