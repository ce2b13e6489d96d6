"""From video files to labels: a narrow SlowFast learns motions that a single frame does not tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from methods.actor_detection.supervised import Supervised
from suite.data import load
from tests.methods.actor_detection.worlds import headline, training

SETTINGS = {
    "steps": 300,
    "budget": "published",
    "evaluate_steps": 300,
    "batch": 8,
    "rule": "adamw",
    "lr": 0.003,
    "weight_decay": 1e-4,
    "width": 8,
    "beta_inverse": 2,
    "blocks": "1-1-1-1",
    "dropout": 0.0,
    "keep_decoded": 1000,
}
MOTIONS = ("move left", "move right", "move up")


@pytest.mark.slow
def test_motion_is_learned_from_files_and_not_from_single_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUITE_OUTPUTS", str(tmp_path))
    data = load("planted-clips", dials={"labelled": 1.0, "unlabelled_videos": 0})
    moving, still = (training(Supervised(**SETTINGS, still=still), data).train() for still in (False, True))
    chance = data.test.truth_labels.mean(axis=0)[data.test.truth_labels.any(axis=0)].mean()
    assert headline(moving) > 1.8 * chance
    assert headline(moving) > 1.4 * headline(still)
    frequency = dict(zip(data.classes, data.test.truth_labels.mean(axis=0), strict=True))
    found = {m.label: m.value for m in still.points["last"].metrics["test"] if m.metric == "AP"}
    assert all(found[name] < frequency[name] + 0.15 for name in MOTIONS), "a frame says next to nothing about motion"
