"""Leases in a store: one holder at a time, free when their holder falls silent, by nobody's wall clock."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import fsspec
import pytest

from suite.errors import DataError
from suite.leaderboard.run import Terms, run_plan
from suite.places import Places
from suite.results.ledger import Ledger
from suite.work import store_leases
from suite.work.leases import leased, taken
from suite.work.store_leases import StoreLease
from tests.leaderboard.fakes import fake_execute, plan
from tests.results.test_remote import bucket  # noqa: F401  (a fixture)

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Places:
    """Outputs in a store within this process, where leases of others expire after half a second."""
    quick(monkeypatch.setattr)
    return Places(f"memory://{uuid.uuid4().hex}")


def quick(put) -> None:
    put(store_leases, "RENEW", 0.1)
    put(store_leases, "EXPIRE", 0.8)
    put(store_leases, "LOOK", 0.05)


def foreign(lease: StoreLease) -> StoreLease:
    """The same lease as a process of another machine would hold it."""
    lease.owner["machine"] = "elsewhere"
    return lease


def taken_within(lease: StoreLease, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if lease.acquire(0.02):
            return True
    return False


def objects(places: Places) -> list[str]:
    files = fsspec.filesystem("memory")
    return [path.rpartition("/")[2] for path in files.find(f"{places.outputs.partition('://')[2]}/leases")]


def test_who_is_alive_keeps_a_lease_and_who_frees_it_leaves_nothing(places: Places) -> None:
    first, second = foreign(StoreLease(places, "r")), StoreLease(places, "r")
    assert not second.taken() and first.acquire(0)
    assert second.taken() and not taken_within(second, 2.0), "its holder goes on writing it"
    first.release()
    assert not second.taken() and taken_within(second, 1.0)
    second.release()
    assert objects(places) == []


def test_a_silent_holder_loses_its_lease_and_takes_nothing_away(places: Places) -> None:
    first, second = foreign(StoreLease(places, "r")), StoreLease(places, "r")
    assert first.acquire(0)
    with first.writing:  # stopped in the middle: a machine that sleeps
        begun = time.monotonic()
        assert taken_within(second, 5.0) and time.monotonic() - begun >= 0.75
        assert objects(places) == ["0", "1"]
    time.sleep(0.3)  # it wakes up, and sees that another holds the lease
    first.release()
    assert objects(places) == ["0", "1"]
    second.release()
    assert objects(places) == []


def test_a_lease_of_a_silent_holder_is_not_taken_for_ever(places: Places) -> None:
    """Boards only look: what another machine was carrying out when it died has to come back to them."""
    assert foreign(StoreLease(places, "r"))._take(), "nobody renews it"
    end = time.monotonic() + 10
    assert StoreLease(places, "r").taken()
    while StoreLease(places, "r").taken():
        assert time.monotonic() < end
        time.sleep(0.05)
    lease = StoreLease(places, "r")
    assert lease.acquire(0)
    lease.release()


def test_nobody_waits_for_a_dead_process_of_the_same_machine(places: Places) -> None:
    child = SPAWN.Process(target=time.sleep, args=(0,))
    child.start()
    child.join()
    lease = StoreLease(places, "r")
    lease.files.create("0", json.dumps({**lease.owner, "process": child.pid, "beats": 7}))
    assert not lease.taken() and lease.acquire(0)
    lease.release()
    assert objects(places) == []


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"machine": 1}', '{"machine": "", "process": 1e400}'])
def test_an_object_that_says_nothing_expires_like_any(places: Places, text: str) -> None:
    lease = StoreLease(places, "r")
    lease.files.create("0", text)
    assert lease.taken() and not lease.acquire(0) and taken_within(lease, 5.0)
    lease.release()


def test_who_finds_another_state_than_it_acted_on_gives_way(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at a silent lease and the next number, its run was done, and another began it anew."""
    late = StoreLease(places, "r")
    late.files.create("0", "silent")
    put = StoreLease._put

    def meanwhile(lease: StoreLease, own: str) -> bool:
        if lease is late:
            late.files.remove("0")
            late.files.create("0", "another's")
        return put(lease, own)

    monkeypatch.setattr(StoreLease, "_put", meanwhile)
    assert not taken_within(late, 1.2) and objects(places) == ["0"]


def test_many_at_once_hold_it_one_after_the_other(places: Places) -> None:
    inside, most, held = 0, 0, Counter[int]()
    counting = threading.Lock()

    def work(name: int) -> None:
        nonlocal inside, most
        for _ in range(5):
            lease = foreign(StoreLease(places, "r"))
            while not lease.acquire(0.02):
                pass
            with counting:
                inside += 1
                most = max(most, inside)
                held[name] += 1
            time.sleep(0.005)
            with counting:
                inside -= 1
            lease.release()

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == 1 and held == dict.fromkeys(range(6), 5) and objects(places) == []


def test_a_store_out_of_reach_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = Places("memory://somewhere")

    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "ls", fail)
    match = r"cannot keep leases in memory://somewhere \(no route to host\); check"
    with pytest.raises(DataError, match=match), leased(store, ["r"]):
        pass


# Two machines on one bucket -------------------------------------------------------------------------------------------


def slow_execute(spec, places, reporter=None, machine=None, group=""):
    time.sleep(0.4)
    return fake_execute(spec, places, reporter, machine, group)


def drive(folder: str, name: str, environment: Mapping[str, str]) -> None:
    """A board of a machine called ``name``, whose files are its own and whose ledger is in the bucket."""
    os.environ.update(environment)
    os.chdir(folder)
    quick(setattr)
    store_leases.machine = lambda: name
    places = Places("s3://lab/outputs")
    run_plan(plan(Ledger(places.ledger), 8), places, terms=Terms(jobs=1), execute=slow_execute)


def carries_out(name: str) -> bool:
    """Whether the machine called ``name`` holds a lease in the bucket."""
    files = fsspec.filesystem("s3")
    files.invalidate_cache()
    for path in files.find("lab/outputs/leases"):
        with suppress(FileNotFoundError):
            if json.loads(files.cat_file(path))["machine"] == name:
                return True
    return False


@pytest.mark.parametrize("kill", [pytest.param(False, marks=pytest.mark.slow), True])
def test_two_machines_do_every_run_once(
    bucket: Mapping[str, str],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kill: bool,
) -> None:
    drivers = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        drivers.append(SPAWN.Process(target=drive, args=(str(tmp_path / name), name, dict(bucket))))
    for driver in drivers:
        driver.start()
    for key, value in bucket.items():
        monkeypatch.setenv(key, value)
    places = Places("s3://lab/outputs")
    ledger = Ledger(places.ledger)
    if kill:
        end = time.monotonic() + 60
        while not (len(ledger.runs()) and carries_out("one")):
            assert time.monotonic() < end
        os.kill(drivers[0].pid, signal.SIGKILL)
    for driver in drivers:
        driver.join(300)
    assert [driver.exitcode for driver in drivers] == [-signal.SIGKILL if kill else 0, 0]
    attempts = ledger.runs(all_attempts=True)
    finished = Counter(attempts.filter(status="finished")["run"])
    assert len(finished) == 7 and set(finished.values()) == {1}, "one of eight fails"
    monkeypatch.chdir(tmp_path)
    assert not any(taken(places, run) for run in finished)
