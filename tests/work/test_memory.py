"""How much memory a run takes: the peak since it began, or nothing where that is not known."""

from __future__ import annotations

import gc
import mmap
import subprocess
import sys
import weakref

import numpy as np
import pytest

from suite.places import Places
from suite.runs import resolve_run
from suite.work import memory
from suite.work.execute import execute
from suite.work.machine import Machine
from suite.work.memory import Watched
from suite.work.preparation import Prepared

LARGE = 200 * 2**20  # bytes


@pytest.mark.skipif(Watched("cpu").gib() is None, reason="this system does not say how much a process held")
def test_the_peak_since_it_began():
    before = Watched("cpu").gib()
    first = Watched("cpu")
    held = mmap.mmap(-1, LARGE)  # returned to the system, which freed arrays need not be
    np.frombuffer(held, dtype=np.uint8)[:] = 1
    held.close()
    assert first.gib() == pytest.approx(before + LARGE / 2**30, abs=0.05)  # freed again, and yet the most it held
    assert Watched("cpu").gib() == pytest.approx(before, abs=0.05)


def test_what_is_not_known_is_said(tmp_path, monkeypatch):
    assert Watched("cpu", workers=2).gib() is None
    monkeypatch.setattr(memory, "PROCESS", tmp_path / "nothing")
    assert Watched("cpu").gib() is None
    monkeypatch.setattr(memory, "PROCESS", tmp_path)  # a system that takes the reset, and states nothing
    assert Watched("cpu").gib() is None


STEPS = """
import resource, numpy as np
from suite.work.memory import reuse_freed
print(reuse_freed())
def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.ones(2**26, dtype=np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
pages()
print(pages())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="where memory comes from is glibc's")
def test_what_a_step_frees_serves_the_next_one(monkeypatch):
    def told() -> list[str]:
        return subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, check=True).stdout.split()

    for name in memory.OWN:
        monkeypatch.delenv(name, raising=False)
    taken, pages = told()
    if taken == "False":
        pytest.skip("the C library has no mallopt")
    assert int(pages) < 100
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "100000")  # somebody's own setting stays
    assert told()[0] == "False" and int(told()[1]) > 100


@pytest.mark.skipif(Watched("cpu").gib() is None, reason="this system does not say how much a process held")
def test_a_run_records_it(tmp_path):
    places = Places(str(tmp_path), tmp_path / "data")
    spec = resolve_run("mask-bce", "planted-verbs[train=60]", {"hidden": 8}, epochs=1)
    outcome = execute(spec, places, machine=Machine(checkpoints=False))
    assert outcome.run["status"] == "finished" and 0.1 < outcome.run["memory"] < 8


KEPT = """
import sys, numpy as np
from suite.work import memory
memory.reuse_freed()
memory.MUCH = int(sys.argv[1])
first, second = np.ones(2**25), np.ones(2**23)  # 256 MiB, and 64 that lie behind them in the heap
del first
memory.give_back()
print(memory.Watched("cpu").gib())
"""


@pytest.mark.skipif(Watched("cpu").gib() is None, reason="this system does not say how much a process held")
def test_what_earlier_runs_freed_is_given_back_where_it_is_much(monkeypatch):
    for name in memory.OWN:
        monkeypatch.delenv(name, raising=False)

    def held(much: int) -> float:
        asked = [sys.executable, "-c", KEPT, str(much)]
        return float(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)

    assert held(2**50) - held(0) == pytest.approx(0.25, abs=0.05)


def test_a_run_that_ended_leaves_no_arrays_to_a_collection(tmp_path, monkeypatch):
    seen = []
    made = Prepared.training

    def training(*given, **named):
        seen.append(weakref.ref(one := made(*given, **named)))
        return one

    monkeypatch.setattr(Prepared, "training", training)
    spec = resolve_run("mask-bce", "planted-verbs[train=60,validation=20,test=20,channels=4]", epochs=1)
    gc.disable()
    try:
        assert execute(spec, Places(str(tmp_path)), None, Machine()).run["status"] == "finished"
        assert seen[0]() is None
    finally:
        gc.enable()
