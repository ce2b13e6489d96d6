"""What the recipes promise, on raylets with a token: submitted jobs, lost and new nodes, signals, two users."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from suite.places import Places
from suite.results.ledger import Ledger
from tests.work.drivers import ROOT, TOY, WORLD, board

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
RAY = str(Path(sys.executable).with_name("ray"))
SUITE = [sys.executable, "-c", "from suite.cli import main; main()"]


class Machines:
    """Three raylets that admit whoever knows the token."""

    def __init__(self) -> None:
        self.token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.token |= {"RAY_raylet_start_wait_time_s": "180"}  # on a busy machine
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.http = f"http://127.0.0.1:{one.getsockname()[1]}"
        command = [sys.executable, "-m", "tests.cluster.machines", self.http.rpartition(":")[2]]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **self.token}, stdin=pipe, stdout=pipe, text=True
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        assert ":" in self.address

    def order(self, word: str) -> None:
        """``add`` a node, or ``lose`` one without a word."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def ray(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command of Ray's, with the token unless ``environment`` says otherwise."""
        inside = {**os.environ, **self.token, **environment}
        return subprocess.run([RAY, *words], env=inside, cwd=ROOT, capture_output=True, text=True, timeout=300)

    def submit(self, out: Path, *words: str) -> str:
        """``ray job submit`` of a command of the suite with the code of this checkout; returns the job."""
        job = f"suite-{secrets.token_hex(4)}"
        inside = [f"SUITE_METHODS={TOY}", f"SUITE_OUTPUTS={out}", "OMP_NUM_THREADS=1"]
        given = ["--no-wait", "--address", self.http, "--working-dir", str(ROOT), "--submission-id", job, "--"]
        command = ["job", "submit", *given, "env", *inside, *SUITE, *words, "--address", "auto"]
        until = time.monotonic() + 180
        while (done := self.ray(*command)).returncode:  # the agents of nodes that have just started take no jobs yet
            assert "No available agent" in done.stderr and time.monotonic() < until, done.stdout + done.stderr
            time.sleep(3)
        return job

    def start(self, out: Path, folder: Path, *words: str) -> subprocess.Popen[str]:
        """A driver outside of the cluster's jobs, in the working directory ``folder``."""
        folder.mkdir(exist_ok=True)
        inside = {"SUITE_METHODS": str(TOY), "SUITE_OUTPUTS": str(out), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        command = [*SUITE, *words, "--address", self.address]
        return subprocess.Popen(
            command, cwd=folder, env={**os.environ, **self.token, **inside}, stderr=subprocess.PIPE, text=True
        )

    def logs(self, job: str) -> str:
        """What a job printed."""
        return self.ray("job", "logs", "--address", self.http, job).stdout

    def end(self) -> None:
        """All nodes go."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=120)


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
    machines.order("lose")
    machines.order("add")
    until(lambda: len(finished(of_board)) >= 8 and len(finished(of_sweep)) >= 8, said)
    for job in jobs:
        until(lambda job=job: "SUCCEEDED" in machines.ray("job", "status", "--address", machines.http, job).stderr
              + machines.ray("job", "status", "--address", machines.http, job).stdout, said)  # fmt: skip
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
    words = ["leaderboard", board(tmp_path, seeds=4, seconds=3.0, epochs=2)]
    driver = machines.start(out, tmp_path / "here", *words)
    until(lambda: any((out / "leases").glob("*.lock")), lambda: str(driver.poll()))
    driver.send_signal(signal.SIGINT)
    time.sleep(1)
    driver.send_signal(signal.SIGINT)
    _, said = driver.communicate(timeout=60)
    assert driver.returncode == 130 and "Traceback" not in said, said
    actors = [
        "import ray; from ray.util.state import list_actors",
        f"ray.init(address='{machines.address}', logging_level='ERROR')",
        "print(sum(one.state == 'ALIVE' for one in list_actors(limit=1000)))",
    ]

    def alive() -> str:
        code = [sys.executable, "-c", "; ".join(actors)]
        done = subprocess.run(code, env={**os.environ, **machines.token}, capture_output=True, text=True, timeout=120)
        return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr

    until(lambda: alive() == "0", alive, seconds=120)
    until(lambda: not any(map(held, (out / "leases").glob("*.lock"))), lambda: "a lease is held", seconds=60)
    assert not list((out / "status").glob("*.json"))


def held(lock: Path) -> bool:
    """Whether a process holds the lock."""
    from suite.work.leases import taken

    return taken(Places(str(lock.parent.parent)), lock.stem)
