"""Networks over people's features train as one stack with the numbers that each has alone; those over pixels do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from suite.data import load
from suite.places import Places
from suite.registry import method
from suite.runs import resolve_run
from suite.train.storage.reporter import Silent
from suite.work.execute import execute
from suite.work.machine import Machine
from suite.work.packing import pays, run_packed

WORLD = "planted-actors[train_videos=20]"
COMMON = {"steps": 12, "semi_steps": 6, "evaluate_steps": 6, "hidden": 16, "batch": 8, "rule": "adamw"}
RATES = [{"lr": 1e-3}, {"lr": 4e-3, "weight_decay": 0.01}, {"lr": 2e-3, "semi_lr": 1e-3}]
ALONE = ("supervised-actors", "distribution-balanced-actors")  # without a teacher


@pytest.mark.parametrize("name", ALONE)
def test_a_stack_gives_what_each_gives_alone(name: str, tmp_path: Path) -> None:
    places, machine = Places(str(tmp_path)), Machine()
    specs = [resolve_run(name, WORLD, {**COMMON, **rate}) for rate in RATES]
    packed = run_packed(specs, places, machine, "", Silent())
    for spec, together in zip(specs, packed, strict=True):
        alone = execute(spec, places, machine=machine)
        assert together is not None and together.run["status"] == alone.run["status"] == "finished"
        own, other = (one.extra["scores"]["test"]["scores"] for one in (alone, together))
        assert own == pytest.approx(other, abs=1e-4)


def test_what_a_stack_cannot_do_is_left_to_single_runs(tmp_path: Path) -> None:
    """A running average of the weights, and networks over pixels, whatever the device."""
    data = load(WORLD, cache=tmp_path)
    assert pays(method("supervised-actors")(**COMMON), data, gpu=True)
    assert not pays(method("fixmatch-actors")(**COMMON), data, gpu=True)
    pixels = replace(data, train=replace(data.train, frames=object()))
    assert not pays(method("supervised-actors")(**COMMON), pixels, gpu=True)
