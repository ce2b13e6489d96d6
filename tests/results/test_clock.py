"""A clock that is wrong, or steps, costs no run and doubles none."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from suite.places import Places
from suite.results.appending import appending, under_way
from suite.results.ledger import Ledger
from suite.work.leases import leased, taken
from tests.results.ledgers import outcome

HOUR = 3600.0
DECADE = 10 * 365 * 24 * 3600.0
WALL, WALL_NS = time.time, time.time_ns


class Clock:
    """The system's clock, wrong by ``step`` seconds."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.step = 0.0
        patch.setattr(time, "time", lambda: WALL() + self.step)
        patch.setattr(time, "time_ns", lambda: WALL_NS() + int(self.step * 1e9))

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    # uuid1 never goes back behind its last time, which would stay in the future for the tests that follow.
    monkeypatch.setattr(uuid, "_last_timestamp", None)
    yield Clock(monkeypatch)


def recorded(ledger: Ledger, clock: Clock, seed: int, status: str = "finished") -> None:
    made = outcome(seed=seed, status=status)
    ledger.record(replace(made, run=made.run | {"started": clock.now}))


@pytest.mark.parametrize("steps", [(DECADE, -DECADE, 0.0), (-DECADE, 0.0, DECADE)])
def test_steps_between_runs_lose_and_double_nothing(tmp_path: Path, clock: Clock, steps: tuple[float, ...]) -> None:
    ledger = Ledger(tmp_path / "ledger")
    for seed, step in enumerate(steps):
        clock.step = step
        recorded(ledger, clock, seed)
        ledger.compact()
    after = Ledger(tmp_path / "ledger")
    assert len(after.runs(all_attempts=True)) == len(after.finished()) == len(steps)
    assert len(after.metrics()) == len(steps) * len(outcome().metrics)
    assert len(after.curves()) == len(steps) * 3 and len(after.all_predictions()) == len(steps) * 2


def test_a_failure_dated_after_the_success_does_not_hide_it(tmp_path: Path, clock: Clock) -> None:
    ledger = Ledger(tmp_path / "ledger")
    clock.step = DECADE
    recorded(ledger, clock, 0, "failed")
    clock.step = 0.0
    recorded(ledger, clock, 0)
    assert ledger.runs()["status"].to_list() == ["finished"]
    ledger.compact()
    assert ledger.runs()["status"].to_list() == ["finished"] and len(ledger.metrics()) == len(outcome().metrics)


@pytest.mark.parametrize("step", [-DECADE, 2 * HOUR, DECADE])
def test_a_step_between_the_appends_of_a_run_makes_no_orphan_of_it(tmp_path: Path, clock: Clock, step: float) -> None:
    ledger, other = Ledger(tmp_path / "ledger"), Ledger(tmp_path / "ledger")
    recorded(ledger, clock, 0)
    append = ledger.stores["runs"].append

    def later(rows: object) -> None:
        clock.step = step
        assert other.compact()["orphans"] == 0  # another writer merges while the rows of this one wait for their run
        append(rows)

    ledger.stores["runs"].append = later  # type: ignore[method-assign]
    recorded(ledger, clock, 1)
    assert len(ledger.finished()) == 2 and len(ledger.metrics()) == 2 * len(outcome().metrics)
    assert len(ledger.curves()) == 2 * 3 and len(ledger.all_predictions()) == 2 * 2


def test_a_writer_that_is_killed_is_not_at_work_any_more(tmp_path: Path) -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with appending(tmp_path), appending(tmp_path):
            os.write(write, b".")
            signal.pause()
    os.read(read, 1)
    assert under_way(tmp_path)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert not under_way(tmp_path) and not under_way(tmp_path / "new")


def test_rows_of_a_dead_writer_are_orphans_once_old(tmp_path: Path, clock: Clock) -> None:
    ledger = Ledger(tmp_path / "ledger")
    append = ledger.stores["runs"].append
    ledger.stores["runs"].append = lambda rows: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    with pytest.raises(ZeroDivisionError):
        ledger.record(outcome())
    ledger.stores["runs"].append = append  # type: ignore[method-assign]
    assert ledger.compact()["orphans"] == 0
    clock.step = 2 * HOUR
    assert ledger.compact()["orphans"] == 1 and ledger.stores["metrics"].read().is_empty()


def test_a_lease_knows_no_clock(tmp_path: Path, clock: Clock) -> None:
    places = Places(str(tmp_path))
    with leased(places, ["a"]) as got:
        clock.step = DECADE
        assert got == "at once" and taken(places, "a")
        clock.step = -DECADE
        assert taken(places, "a")
    assert not taken(places, "a")
