"""Several processes on one folder of results: every run once, whoever dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from suite.leaderboard.run import Terms, run_plan
from suite.places import Places
from suite.results.ledger import Ledger
from suite.work.leases import forget, leased, taken
from tests.leaderboard.fakes import fake_execute, plan, starts

SPAWN = multiprocessing.get_context("spawn")
SLOW = 0.4  # seconds of a run, many times what a look at a lease takes


def slow_execute(spec, places, reporter=None, machine=None, group=""):
    time.sleep(SLOW)
    return fake_execute(spec, places, reporter, machine, group)


def drive(folder: str, backwards: bool) -> None:
    """A board in a process of its own."""
    places = Places(folder)
    whole = plan(Ledger(places.ledger), 8)
    asked = tuple(reversed(whole.asked)) if backwards else whole.asked
    run_plan(type(whole)(whole.board, asked, whole.runs), places, terms=Terms(jobs=1), execute=slow_execute)


def hold(folder: str, run: str) -> None:
    with leased(Places(folder), [run]):
        Path(folder, "held").touch()
        time.sleep(60)


def until(condition) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_two_boards_on_one_ledger_do_every_run_once(tmp_path: Path) -> None:
    drivers = [SPAWN.Process(target=drive, args=(str(tmp_path), backwards)) for backwards in (False, True)]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join(60)
        assert driver.exitcode == 0
    assert sorted(starts(tmp_path)) == sorted([*range(8), 3]), "seed 3 fails, and each driver tries it"
    ledger = Ledger(Places(str(tmp_path)).ledger)
    assert (ledger.runs()["status"] == "finished").sum() == 7


def test_a_lease_dies_with_its_holder(tmp_path: Path) -> None:
    holder = SPAWN.Process(target=hold, args=(str(tmp_path), "abc"))
    holder.start()
    until((tmp_path / "held").exists)
    places = Places(str(tmp_path))
    assert taken(places, "abc") and not taken(places, "other")
    told: list[str] = []
    with leased(places, ["abc"], going=lambda: False, waiting=lambda: told.append("waits")) as got:
        assert got == "stopped" and told == ["waits"]
    os.kill(holder.pid, signal.SIGKILL)
    with leased(places, ["abc", "other"]) as got:
        assert got in ("at once", "after waiting")
        forget(places, "abc")
    holder.join()
    assert not taken(places, "abc") and [path.name for path in (tmp_path / "leases").iterdir()] == ["other.lock"]


def test_identical_commands_train_once(tmp_path: Path) -> None:
    """Started together, three of four wait for the one that trains and then read the ledger."""
    code = "from suite.cli import main; main()"
    world = "planted-verbs[train=400,validation=100,test=100]"
    words = [sys.executable, "-c", code, "train", "assume-negative", world, "--epochs", "12", "--out", str(tmp_path)]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    ends = [one.communicate(timeout=300) for one in running]
    assert [one.returncode for one in running] == [0] * 4, ends
    attempts = Ledger(Places(str(tmp_path)).ledger).runs(all_attempts=True)
    assert len(attempts) == 1
    assert sum("the ledger holds this run already" in out for out, _ in ends) == 3
