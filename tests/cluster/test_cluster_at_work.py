"""What the recipes promise, on raylets with a token: submitted jobs, lost and new nodes, signals, two users."""

from __future__ import annotations

import re
import secrets
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from suite.places import Places
from suite.results.ledger import Ledger
from tests.cluster.growing import MOST, Growing
from tests.cluster.machines import Machines
from tests.work.drivers import WORLD, board

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture
def machines() -> Iterator[Machines]:
    found = Machines()
    yield found
    found.end()


def finished(out: Path) -> Counter[str]:
    """Finished attempts by run."""
    rows = Ledger(Places(str(out)).ledger).runs(all_attempts=True).to_dicts()
    return Counter(row["run"] for row in rows if row["status"] == "finished")


def until(ready: Callable[[], bool], said: Callable[[], str], seconds: float = 600.0) -> None:
    """Wait for ``ready``."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, said()
        time.sleep(0.5)


def sweep_words(trials: int) -> list[str]:
    """A sweep of toys."""
    space = ["--over", "q,beta", "--trials", str(trials), "--sampler", "random", "--set", "seconds=0.3"]
    return ["sweep", "toy", WORLD, *space]


def test_submitted_jobs_survive_a_lost_node_and_use_a_new_one(machines: Machines, tmp_path: Path) -> None:
    stranger = machines.ray("job", "list", "--address", machines.http, RAY_AUTH_TOKEN=secrets.token_hex(32))
    assert stranger.returncode != 0, "a stranger got in"
    of_board, of_sweep = tmp_path / "board", tmp_path / "sweep"
    jobs = [
        machines.submit(of_board, "leaderboard", board(tmp_path, seeds=8, seconds=0.3)),
        machines.submit(of_sweep, *sweep_words(8)),
    ]

    def said() -> str:
        return "\n".join(map(machines.logs, jobs))

    until(lambda: len(finished(of_board)) + len(finished(of_sweep)) >= 2, said)
    named = machines.actors()
    assert any(re.fullmatch(r"suite (leaderboard|sweep) toy.*: worker \d+", name) for name in named), named
    assert set(named.values()) <= {"TuneWorker", "_SourceActor", "JobSupervisor"}, named
    machines.lose()
    machines.add()
    until(lambda: len(finished(of_board)) >= 8 and len(finished(of_sweep)) >= 8, said)
    for job in jobs:
        until(lambda job=job: machines.status(job) not in ("PENDING", "RUNNING"), said)
        assert machines.status(job) == "SUCCEEDED", said()
    assert "Traceback" not in said() and "page:" in said()
    for out in (of_board, of_sweep):
        assert set(finished(out).values()) == {1} and len(finished(out)) == 8


def test_two_users_a_signal_and_another_working_directory(machines: Machines, tmp_path: Path) -> None:
    """One is stopped by SIGTERM while the other works on; it goes on from elsewhere; both end with everything once."""
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    words = [*sweep_words(12), "--max-cpus", "1"]
    driver = machines.start(mine, tmp_path / "here", *words)
    other = machines.start(
        theirs, tmp_path / "there", "leaderboard", board(tmp_path, seeds=10, seconds=0.3), "--max-cpus", "1"
    )

    def both_work() -> bool:
        for process in (driver, other):
            assert process.poll() is None, process.communicate()[1]
        return len(finished(mine)) >= 2 and len(finished(theirs)) >= 1

    until(both_work, lambda: "too little was finished")
    driver.send_signal(signal.SIGTERM)
    _, said = driver.communicate(timeout=120)
    assert driver.returncode == 130 and "Traceback" not in said and "interrupted" in said, said
    assert 2 <= len(finished(mine)) < 12
    again = machines.start(mine, tmp_path / "elsewhere", *words)
    for process in (again, other):
        _, said = process.communicate(timeout=600)
        assert process.returncode == 0 and "Traceback" not in said, said
    assert len(finished(mine)) == 12 and set(finished(mine).values()) == {1}
    assert len(finished(theirs)) == 10 and set(finished(theirs).values()) == {1}


def test_ctrl_c_twice_leaves_no_actor_and_no_lock_behind(machines: Machines, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["leaderboard", board(tmp_path, seeds=4, seconds=25.0, epochs=2)]
    driver = machines.start(out, tmp_path / "here", *words)
    until(lambda: any(map(held, (out / "leases").glob("*.lock"))), lambda: str(driver.poll()))
    time.sleep(2)
    driver.send_signal(signal.SIGINT)
    time.sleep(2)
    assert driver.poll() is None, "the epoch under way was not awaited"
    driver.send_signal(signal.SIGINT)
    _, said = driver.communicate(timeout=20)
    assert driver.returncode == 130 and "Traceback" not in said and "stopping: " in said, said

    until(lambda: not machines.actors(), lambda: str(machines.actors()), seconds=120)
    until(lambda: not any(map(held, (out / "leases").glob("*.lock"))), lambda: "a lease is held", seconds=60)
    assert not list((out / "status").glob("*.json"))


def test_a_cluster_grows_and_shrinks_with_the_work(tmp_path: Path) -> None:
    """None at first; a sweep and a slower board ask for three; when the sweep ends, two of them go."""
    cluster = Growing()
    try:
        slow = board(tmp_path, seeds=3, seconds=20.0, epochs=2)
        of_board, of_sweep = tmp_path / "board", tmp_path / "sweep"
        drivers = [
            cluster.start(of_sweep, tmp_path / "here", *sweep_words(9), "--max-cpus", "2"),
            cluster.start(of_board, tmp_path / "there", "leaderboard", slow, "--max-cpus", "1"),
        ]

        def said() -> str:
            return f"{cluster.alive()} nodes; {[driver.poll() for driver in drivers]}"

        until(lambda: cluster.alive() == 1 + MOST, said)
        until(lambda: drivers[0].poll() is not None, said)
        until(lambda: cluster.alive() == 2, said)
        assert drivers[1].poll() is None, "the board ended too early to tell"
        for driver in drivers:
            _, words = driver.communicate(timeout=600)
            assert driver.returncode == 0 and "Traceback" not in words, words
        until(lambda: cluster.alive() == 1, said)
        assert len(finished(of_sweep)) == 9 and len(finished(of_board)) == 3
        assert set(finished(of_sweep).values()) | set(finished(of_board).values()) == {1}
    finally:
        cluster.end()


def held(lock: Path) -> bool:
    """Whether a process holds the lock."""
    from suite.work.leases import taken

    return taken(Places(str(lock.parent.parent)), lock.stem)
