"""How much memory a run takes: the peak since it began, or nothing where that is not known."""

from __future__ import annotations

import numpy as np
import pytest

from suite.places import Places
from suite.runs import resolve_run
from suite.work import memory
from suite.work.execute import execute
from suite.work.memory import Watched
from suite.work.preparation import Machine

LARGE = 200 * 2**20  # bytes


@pytest.mark.skipif(Watched("cpu").gib() is None, reason="this system does not say how much a process held")
def test_the_peak_since_it_began():
    before = Watched("cpu").gib()
    first = Watched("cpu")
    held = np.ones(LARGE, dtype=np.uint8)
    del held
    assert first.gib() == pytest.approx(before + LARGE / 2**30, abs=0.05)  # freed again, and yet the most it held
    assert Watched("cpu").gib() == pytest.approx(before, abs=0.05)


def test_what_is_not_known_is_said(tmp_path, monkeypatch):
    assert Watched("cpu", workers=2).gib() is None
    monkeypatch.setattr(memory, "PROCESS", tmp_path / "nothing")
    assert Watched("cpu").gib() is None
    monkeypatch.setattr(memory, "PROCESS", tmp_path)  # a system that takes the reset, and states nothing
    assert Watched("cpu").gib() is None


@pytest.mark.skipif(Watched("cpu").gib() is None, reason="this system does not say how much a process held")
def test_a_run_records_it(tmp_path):
    places = Places(str(tmp_path), tmp_path / "data")
    spec = resolve_run("mask-bce", "planted-verbs[train=60]", {"hidden": 8}, epochs=1)
    outcome = execute(spec, places, machine=Machine(checkpoints=False))
    assert outcome.run["status"] == "finished" and 0.1 < outcome.run["memory"] < 8
