"""What a step costs is measured on the run itself."""

from __future__ import annotations

import numpy as np
import pytest

from suite.errors import DataError
from suite.places import Places
from suite.runs import resolve_run
from suite.work.measuring import StepCost, _measured, measure_step
from suite.work.preparation import Machine

WORLD = "planted-videos[videos=24,video_seconds=30,classes=3]"


def test_steps_and_evaluations_are_those_of_the_run(tmp_path, monkeypatch):
    places = Places(str(tmp_path))
    spec = resolve_run("topk-mil", WORLD, {"hidden": 8, "batch": 4, "evaluate_every": 2}, epochs=7)
    clock = iter(np.arange(1000.0))
    monkeypatch.setattr("suite.work.measuring.time.perf_counter", lambda: next(clock))
    cost = _measured(spec, places, 4, Machine())
    assert (cost.steps, cost.evaluations) == (7 * 3, 4)
    assert cost.seconds == 1.0 and cost.evaluation == 1.0
    assert cost.total == 21 + 4
    assert cost.peak_bytes > 50 * 2**20


@pytest.mark.slow
def test_cost_in_a_process_of_its_own(tmp_path):
    spec = resolve_run("topk-mil", WORLD, {"hidden": 8}, epochs=2)
    cost = measure_step(spec, Places(str(tmp_path)), steps=2)
    assert isinstance(cost, StepCost) and cost.seconds > 0 and cost.steps >= 2
    assert not (tmp_path / "ledger").exists()
    with pytest.raises(DataError, match="thumos-14"):
        measure_step(resolve_run("topk-mil", "thumos-14", root=tmp_path), Places(str(tmp_path), str(tmp_path)))
