"""Limits in which the right answer is known beforehand: no signal, no noise, all labelled, no premise.

Those of single-positive recognition stand with its world, in ``tests/data/test_planted_verbs.py``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.data import load
from suite.evaluate.significance import SeedSummary, summarize
from suite.registry import method
from suite.tasks import task
from suite.tasks.base import value_of
from suite.tasks.data import TaskData
from suite.train.loop import train
from suite.train.training import Settings, Trained, Training

WEAK = "weak-localization"
SEEN = "videos=60,classes=4,video_seconds=60,channels=16"
SMALL_WEAK: dict[str, Any] = {"hidden": 32, "positions": 100, "epochs": 15, "evaluate_every": 15}
PEOPLE = "train_videos=24,validation_videos=4,test_videos=12,key_frames=10,classes=10,poses=4,labelled=1.0"
STEPS: dict[str, Any] = {"steps": 300, "semi_steps": 10, "evaluate_steps": 300, "batch": 32, "hidden": 64}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def trained(name: str, data: TaskData[Any], kind: str, seed: int = 0, **params: Any) -> Trained:
    return train(Training(method(name)(**params), data, task(kind), Settings(seed=seed)))


def reached(one: Trained, kind: str, selection: str = "last") -> float:
    """The headline on test data."""
    return value_of(one.points[selection].metrics["test"], task(kind).headline)


def mean_ap(name: str, world: str, cache: Path, seed: int = 0, **params: Any) -> float:
    data = load(world, WEAK, cache=cache, seed=seed)
    return reached(trained(name, data, WEAK, seed, **params), WEAK)


# Weakly supervised localization ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["topk-mil", "action-selection"])
def test_videos_without_signal_teach_nothing(name: str, cache: Path) -> None:
    """As good as networks that were not trained, whose segments hit by chance."""
    world = f"planted-videos[{SEEN},class_snr=0,actionness_snr=0]"
    learned, untrained = (
        np.mean([mean_ap(name, world, cache, seed, lr=lr, **SMALL_WEAK) for seed in (0, 1)]) for lr in (3e-3, 1e-7)
    )
    assert 0 < untrained < 0.05 and abs(learned - untrained) < 0.03


def test_without_noise_the_ceiling_is_that_of_the_truth_and_actions_are_found(cache: Path) -> None:
    """What is left to the ceiling is not noise: top-k asks for the best eighth of a video's snippets alone."""
    sharp = "boundary_width=0,annotation_jitter=0,nested=false"
    clear = f"planted-videos[{SEEN},class_snr=20,actionness_snr=20,context=0,hard_instances=0,{sharp}]"
    ceilings = [mean_ap("snippet-oracle", clear, cache, knows=knows) for knows in ("posterior", "truth")]
    assert ceilings[0] == ceilings[1] > 0.8
    found = mean_ap("action-selection", clear, cache, lr=3e-3, **{**SMALL_WEAK, "epochs": 60})
    assert 0.75 * ceilings[0] < found < ceilings[0]


def gain_of_selection(actionness: float, cache: Path) -> SeedSummary:
    """ASL against top-k MIL on five worlds, whose actions share a direction of this strength."""
    gains = []
    for seed in range(5):
        world = f"planted-videos[videos=90,classes=5,video_seconds=80,actionness_snr={actionness},world_seed={seed}]"
        size = {"hidden": 32, "positions": 150, "epochs": 40, "evaluate_every": 8, "lr": 3e-3}
        both = [mean_ap(name, world, cache, seed, **size) for name in ("action-selection", "topk-mil")]
        gains.append(both[0] - both[1])
    return summarize(gains)


@pytest.mark.slow
def test_action_selection_gains_by_a_shared_direction_and_not_without_one(cache: Path) -> None:
    """Its premise is the direction that all actions share, not that scenes mislead."""
    without, with_one = (gain_of_selection(actionness, cache) for actionness in (0.0, 4.0))
    assert without.low < 0, f"a gain without the premise: {without}"
    assert with_one.low > 0.05, f"no gain where the premise holds: {with_one}"


# Actor detection ---------------------------------------------------------------------------------------------------


def test_people_without_noise_are_told_apart_wholly(cache: Path) -> None:
    data = load(f"planted-actors[{PEOPLE},snr=200]", "actor-detection", cache=cache)
    found = reached(trained("supervised-actors", data, "actor-detection", lr=0.003, **STEPS), "actor-detection")
    assert data.facts["ceilings"]["mAP"] == pytest.approx(1.0, abs=1e-3)
    assert found == pytest.approx(1.0, abs=0.01)


def test_people_without_signal_are_guessed_by_frequency(cache: Path) -> None:
    data = load(f"planted-actors[{PEOPLE},snr=0.0001]", "actor-detection", cache=cache)
    found = reached(trained("supervised-actors", data, "actor-detection", lr=0.003, **STEPS), "actor-detection")
    assert found == pytest.approx(data.facts["ceilings"]["mAP"], abs=0.08)


# Semi-supervised localization ----------------------------------------------------------------------------------------

FEW = "videos=24,classes=2,video_seconds=30,channels=16"
TOLD = f"planted-videos[{FEW},class_snr=8,actionness_snr=8,context=0,hard_instances=0]"


FEW_STEPS = {"preset": "small", "steps": 3, "semi_steps": 4, "evaluate_steps": 2}


@pytest.mark.parametrize("name", ["self-training", "npl"])
def test_with_all_videos_labelled_semi_supervised_is_supervised(name: str, cache: Path) -> None:
    """The second phase, as the only one, is that of the supervised network: the same predictions to the last bit."""
    data, kind = load(TOLD, "semi-localization", cache=cache), task("semi-localization")
    semi, supervised = (Training(method(one)(**FEW_STEPS), data, kind, Settings()) for one in (name, "actionformer"))
    semi.phases = [semi.phases[1]]
    supervised.phases = [replace(supervised.phases[0], steps=semi.phases[0].steps)]
    assert semi.phases[0].steps == 4
    found, expected = (train(one).points["last"].predictions["test"] for one in (semi, supervised))
    assert len(found.score)
    for column in ("video", "label", "start", "end", "score"):
        np.testing.assert_array_equal(getattr(found, column), getattr(expected, column))
