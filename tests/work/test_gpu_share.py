"""A share of a GPU bounds a run's memory, and a run known not to fit does not start; CUDA's answers are simulated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from suite.errors import UsageError
from suite.places import Places
from suite.results.ledger import Ledger
from suite.runs import resolve_run
from suite.spec.resources import Resources
from suite.work.execute import execute
from suite.work.machine import Machine
from suite.work.memory import confine, require_share

WORLD = "planted-verbs[train=60,validation=30,test=30]"


def test_a_fraction_of_a_gpu_is_a_share_of_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", asked.append)
    for gpu in (0.25, 1.0, 2.0):
        machine = Machine.of(Resources(gpu=gpu))
        confine(machine.device, machine.share)
    confine("cpu", Machine.of(Resources()).share)
    assert asked == [0.25, 1.0, 1.0]


def test_a_run_that_took_more_before_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places, spec = Places(str(tmp_path)), resolve_run("assume-negative", WORLD, {}, epochs=1)
    outcome = execute(spec, places)
    hardware = json.loads(outcome.run["hardware"]) | {"device": "cuda"}
    outcome.run.update(hardware=json.dumps(hardware), memory=3.0)
    Ledger(places.ledger).record(outcome)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (8 * 2**30, 8 * 2**30))
    other = resolve_run("assume-negative", WORLD, {}, epochs=1, seed=1)
    require_share(other, "cuda", 0.5, places)
    require_share(other, "cpu", 0.1, places)
    with pytest.raises(UsageError, match=r"took 3\.0 GiB before, and 0\.25 of this GPU are 2\.0 GiB.* at least 0\.41"):
        require_share(other, "cuda", 0.25, places)
