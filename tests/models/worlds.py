"""A small run of each task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from suite.places import Places
from suite.registry import methods
from suite.results.ledger import Ledger
from suite.results.schema import Outcome
from suite.runs import resolve_run
from suite.train.storage.keeping import Keep
from suite.work.execute import execute
from suite.work.machine import Machine
from suite.work.record import settle

VIDEOS = "planted-videos[videos=24,video_seconds=15,classes=3{}]"
STEPS = {"steps": 4, "semi_steps": 4, "evaluate_steps": 2}


@dataclass(frozen=True)
class Small:
    """What is asked of a small run."""

    method: str
    dataset: str
    params: dict[str, Any]
    epochs: int | None = None


CLIPS = "planted-verbs[train=200,validation=60,test=60,channels=8]"
RUNS = {
    "recognition": Small("mask-bce", CLIPS, {"hidden": 16, "lr": 0.01}, 4),
    "rows of the training set": Small("role", CLIPS, {"hidden": 16, "lr": 0.01}, 2),
    "weak-localization": Small("action-selection", VIDEOS.format(""), {}, 3),
    "semi-localization": Small(
        "actionformer", VIDEOS.format(",labelled=0.5"), {"preset": "small", "embedding": 16, **STEPS}
    ),
    "actor-detection": Small(
        "multi-label-semi",
        "planted-actors[train_videos=20,validation_videos=5,test_videos=5,labelled=0.5]",
        STEPS,
    ),
}

# Of any method of a task: world, parameters (those that the method has), epochs.
WORLDS: dict[str, tuple[str, dict[str, Any], int | None]] = {
    "recognition": (CLIPS, {"hidden": 16}, 2),
    "weak-localization": (VIDEOS.format(""), {}, 2),
    "semi-localization": (VIDEOS.format(",labelled=0.5"), STEPS, None),
    "actor-detection": ("planted-actors[train_videos=20,validation_videos=5,test_videos=5,labelled=0.5]", STEPS, None),
}


def small_of(name: str) -> Small:
    """A small run of the method called ``name``."""
    one = methods()[name]
    world, params, epochs = WORLDS[one.task]
    chosen = {key: value for key, value in params.items() if key in one.hypers}
    preset = {"preset": "small"} if "small" in one.presets else {}
    return Small(name, world, {**preset, **chosen}, epochs)


def trained(small: Small, places: Places, keep: Keep = "all", seed: int = 0) -> Outcome:
    """The outcome of a run, recorded in the ledger of ``places``."""
    spec = resolve_run(small.method, small.dataset, small.params, epochs=small.epochs, seed=seed)
    outcome = execute(spec, places, machine=Machine(keep=keep))
    assert outcome.run["status"] == "finished", outcome.run["error"]
    settle(outcome, Ledger(places.ledger), places)
    return outcome
