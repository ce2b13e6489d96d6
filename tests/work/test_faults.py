"""A board whose processes are killed, or told to stop: every run once in the ledger, no process left, one sentence."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest

from suite.results.ledger import Ledger
from suite.work.tune_workers import TuneWorker
from tests.work.drivers import Driver, board

pytestmark = pytest.mark.slow


def started(folder: Path, *words: str, done: int = 3, **facts: float) -> Driver:
    """A board on Ray that has finished ``done`` runs."""
    driver = Driver(folder, ["leaderboard", board(folder, **facts), "--jobs", "2", "--json", *words])
    driver.wait(lambda: len(driver.finished()) >= done)
    return driver


def goes_on(folder: Path) -> None:
    """The same command (for the first twelve seeds at least) ends well, with every run once in the ledger."""
    driver = Driver(folder, ["leaderboard", board(folder), "--jobs", "2", "--json"])
    before = set(driver.finished())
    assert driver.end() == 0, driver.said()
    assert len(driver.finished()) >= 12 and before <= set(driver.finished())
    assert set(driver.finished().values()) == {1}


def test_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    driver = started(tmp_path)
    driver.named(TuneWorker.__name__)[0].kill()
    assert driver.end() == 0, driver.said()
    assert len(driver.finished()) == 12 and set(driver.finished().values()) == {1}
    assert "Traceback" not in driver.said()


def test_a_killed_driver_loses_and_repeats_nothing(tmp_path: Path) -> None:
    for done in (2, 5):
        started(tmp_path, done=done).kill()
    goes_on(tmp_path)


@pytest.mark.parametrize("victim", ["raylet", "gcs_server"])
def test_a_dead_ray_is_one_sentence_and_the_same_command_goes_on(tmp_path: Path, victim: str) -> None:
    driver = started(tmp_path, seeds=60)
    for process in driver.named(victim):
        process.kill()
    assert driver.end(seconds=120) == 1, driver.said()
    sentence = [line for line in driver.said().splitlines() if line]
    assert len(sentence) == 1 and sentence[0].startswith("suite: leaderboard toys broke off: Ray"), driver.said()
    goes_on(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_board_in_good_order(tmp_path: Path, number: int) -> None:
    driver = started(tmp_path, seeds=30)
    driver.process.send_signal(number)
    assert driver.end(seconds=90) == 130, driver.said()
    lines = driver.said().splitlines()
    assert lines[0].startswith("suite: stopping: ") and lines[1].startswith("suite: interrupted: "), driver.said()
    assert all(line.startswith("suite: ") for line in lines)
    goes_on(tmp_path)


def test_a_second_ctrl_c_leaves_at_once(tmp_path: Path) -> None:
    driver = started(tmp_path, seeds=6, seconds=2.0, epochs=1)
    driver.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    driver.process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    assert driver.end(seconds=30) == 130, driver.said()
    assert time.monotonic() - begun < 20 and "Traceback" not in driver.said()


def test_a_signal_ends_a_board_in_this_process(tmp_path: Path) -> None:
    driver = Driver(tmp_path, ["leaderboard", board(tmp_path, seeds=8), "--jobs", "1", "--json"])
    driver.wait(lambda: len(driver.finished()) >= 2)
    driver.process.send_signal(signal.SIGTERM)
    assert driver.end(seconds=30) == 130
    assert driver.said().splitlines()[0].startswith("suite: interrupted: ")


def test_a_sweep_that_gets_sigterm_ends_in_good_order(tmp_path: Path) -> None:
    words = ["toy", "planted-verbs[train=40,validation=100,test=50,verbs=8]", "--over", "q,beta", "--trials", "40"]
    driver = Driver(tmp_path, ["sweep", *words, "--set", "seconds=0.6", "--jobs", "2", "--json"])
    driver.wait(lambda: len(driver.finished()) >= 3)
    driver.process.send_signal(signal.SIGTERM)
    assert driver.end(seconds=90) == 130, driver.said()
    lines = driver.said().splitlines()
    assert lines[0].startswith("suite: stopping: ") and "interrupted" in lines[1], driver.said()
    assert all(line.startswith("suite: ") for line in lines), driver.said()


def test_another_ray_of_the_machine_does_not_matter_to_a_local_run(tmp_path: Path) -> None:
    ray = Path(tempfile.mkdtemp(prefix="ray"))  # short: the paths of sockets are limited
    (ray / "ray").mkdir()
    (ray / "ray" / "ray_current_cluster").write_text("127.0.0.1:9")
    stale = {"RAY_ADDRESS": "127.0.0.1:9", "RAY_TMPDIR": str(ray)}
    driver = Driver(tmp_path, ["leaderboard", board(tmp_path, seeds=4), "--jobs", "2", "--json"], **stale)
    driver.wait(lambda: len(driver.finished()) >= 1)
    for process in [*driver.named("raylet"), *driver.named("gcs_server"), *driver.named(TuneWorker.__name__)]:
        for one in process.net_connections():
            assert one.status != "LISTEN" or one.laddr.ip.endswith("127.0.0.1"), (process.name(), one)
    assert driver.end() == 0, driver.said()
    assert len(driver.finished()) == 4
    shutil.rmtree(ray, ignore_errors=True)


def test_runs_of_a_board_train_on_two_workers_each(tmp_path: Path) -> None:
    words = ["leaderboard", board(tmp_path, seeds=2, seconds=0.1), "--workers", "2", "--json"]
    driver = Driver(tmp_path, words)
    assert driver.end(seconds=480) == 0, driver.said()
    rows = Ledger(driver.places.ledger).runs().to_dicts()
    assert len(rows) == 2 and all('"workers":2' in row["hardware"].replace(" ", "") for row in rows)
