"""Every shipped method whose parameters may be packed: raw scores as near to those of solo runs as README says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite import registry
from suite.places import Places
from suite.results.schema import Outcome
from suite.runs import resolve_run
from suite.train.storage.reporter import Silent
from suite.work.execute import execute
from suite.work.machine import Machine
from suite.work.packing import can_pack, run_packed

TOLERANCE = 1e-4  # README: of the largest score
WORLDS = {
    "recognition": "planted-verbs[senses=12,verbs=10,channels=8,train=300,validation=60,test=200,tail=0.5]",
    "weak-localization": "planted-videos[videos=24,classes=4,channels=8,video_seconds=60]",
}
COMMON = {
    "recognition": {"hidden": 16, "batch": 50},
    "weak-localization": {"hidden": 8, "positions": 40, "evaluate_every": 2},
}
RATES: list[dict[str, Any]] = [{"lr": 1e-3}, {"lr": 4e-3, "weight_decay": 0.01}]
TUNED = ["lr", "weight_decay"]
PACKED = sorted(
    name
    for name, method in registry.methods().items()
    if method.task in WORLDS and not method.oracle and "lr" in method.hypers and can_pack(method, TUNED)
)


@pytest.mark.parametrize("name", PACKED)
def test_scores_of_packed_runs_are_those_of_solo_runs(name: str, tmp_path: Path) -> None:
    _agree(name, {}, tmp_path)


def test_steps_are_counted_per_parameter_where_nets_take_turns(tmp_path: Path) -> None:
    """One Adam over alternating phases: its bias correction must not count the steps of the other net."""
    _agree("action-selection", {"schedule": "alternating"}, tmp_path)


def test_rows_say_how_a_run_was_carried_out(tmp_path: Path) -> None:
    packed, solo = _agree("w-talc", {}, tmp_path)[0]
    assert (packed.run["carried"], solo.run["carried"]) == ("packed", "solo")
    assert packed.id == solo.id


def _agree(name: str, more: dict[str, Any], folder: Path) -> list[tuple[Outcome, Outcome]]:
    task = registry.methods()[name].task
    specs = [resolve_run(name, WORLDS[task], {**COMMON[task], **more, **own}, epochs=10, seed=1) for own in RATES]
    places, machine = Places(str(folder)), Machine(checkpoints=False)
    pairs = []
    for spec, together in zip(specs, run_packed(specs, places, machine, "", Silent()), strict=True):
        assert together is not None, f"{name} was not packed"
        alone = execute(spec, places, machine=machine)
        assert alone.run["status"] == together.run["status"] == "finished"
        for split, scores in alone.extra["scores"].items():
            for part, expected in scores.items():
                limit = TOLERANCE * max(1.0, float(np.abs(expected).max(initial=0.0)))
                np.testing.assert_allclose(together.extra["scores"][split][part], expected, rtol=0, atol=limit)
        pairs.append((together, alone))
    return pairs
