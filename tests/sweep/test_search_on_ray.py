"""Sweeps on Ray: killed workers, a killed node, killed drivers; afterwards everything is done exactly once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from suite.places import Places
from suite.sweep.search import run_sweep
from suite.work.cluster import connected
from tests.sweep.conftest import TOY, WORLD, rows, sweep

ROOT = Path(__file__).resolve().parents[2]
STORE = 200 * 2**20


@pytest.fixture
def cluster() -> Iterator[None]:
    """A local Ray cluster of two cores for one test, started as the suite starts its own."""
    with connected(None, 2):
        yield


def finished(places: Places) -> Counter[str]:
    return Counter(row["params"] for row in rows(places) if row["status"] == "finished")


def test_workers_that_die_lose_nothing_and_what_kills_them_is_recorded(cluster: None, places: Places) -> None:
    seen: list[dict[str, Any]] = []
    space = {"trouble": ["none", "kill"], "q": [0.2, 0.6]}
    spec = sweep(space=space, sampler="grid", retries=0, default=False, concurrency=2)
    swept = run_sweep(spec, places, watch=seen.append)
    counts = swept.snapshot["studies"][0]["counts"]
    assert counts == {"complete": 2, "pruned": 0, "failed": 2}
    assert len(finished(places)) == 2 and set(finished(places).values()) == {1}
    errors = [row["error"] for row in rows(places) if row["status"] == "failed"]
    assert errors and all("died 1 time " in error for error in errors)
    assert any(snapshot["running"] for snapshot in seen)


@pytest.mark.slow
def test_three_raylets_of_which_one_is_killed_mid_sweep(places: Places) -> None:
    import ray
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": STORE})
    try:
        others = [nodes.add_node(num_cpus=1, object_store_memory=STORE) for _ in range(2)]
        ray.init(address=nodes.address, log_to_driver=False)
        victims: list[Any] = []

        def kill_one(snapshot: dict[str, Any]) -> None:
            workers_seen = len(snapshot["running"])
            if not victims and workers_seen == 3 and snapshot["studies"][0]["counts"]["complete"] >= 4:
                victims.append(others[0])
                nodes.remove_node(others[0], allow_graceful=False)

        spec = sweep(budget={"trials": 24}, sampler="random", params={"seconds": 0.5}, concurrency=3, default=False)
        swept = run_sweep(spec, places, watch=kill_one)
    finally:
        ray.shutdown()
        nodes.shutdown()
    assert victims, "the node was to be killed while three workers were at work"
    assert swept.snapshot["studies"][0]["counts"] == {"complete": 24, "pruned": 0, "failed": 0}
    assert len(finished(places)) == 24 and set(finished(places).values()) == {1}


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["raylet", "node"])
def test_a_node_lost_during_a_sweep_on_a_cluster_is_no_traceback(places: Places, tmp_path: Path, victim: str) -> None:
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": STORE})
    try:
        others = [nodes.add_node(num_cpus=1, object_store_memory=STORE) for _ in range(2)]
        driver = _start(places, tmp_path, 24, "--address", nodes.address)
        _wait(lambda: len(finished(places)) >= 4 or driver.poll() is not None)
        if victim == "node":
            nodes.remove_node(others[0], allow_graceful=False)
        else:
            others[0].kill_raylet(check_alive=False)
        code = driver.wait(timeout=300)
    finally:
        nodes.shutdown()
    said = (tmp_path / "driver.log").read_text(encoding="utf-8")
    assert code == 0 and "Traceback" not in said and "rror" not in said.replace('"errors"', ""), said
    assert len(finished(places)) == 24 and set(finished(places).values()) == {1}


@pytest.mark.slow
def test_a_driver_killed_twice_loses_and_repeats_nothing(places: Places, tmp_path: Path) -> None:
    _kill_and_go_on(places, tmp_path, trials=12, kills=2)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # ten starts of Ray: eleven minutes on two cores
def test_a_driver_killed_ten_times_loses_and_repeats_nothing(places: Places, tmp_path: Path) -> None:
    _kill_and_go_on(places, tmp_path, trials=60, kills=10)


@pytest.mark.slow
def test_ctrl_c_ends_in_good_order_and_says_what_was_abandoned(places: Places, tmp_path: Path) -> None:
    driver = _start(places, tmp_path, trials=40)
    _wait(lambda: len(finished(places)) >= 3)
    driver.send_signal(signal.SIGINT)
    assert driver.wait(timeout=120) == 130
    said = (tmp_path / "driver.log").read_text(encoding="utf-8")
    assert "interrupted" in said and "Traceback" not in said
    assert 3 <= len(finished(places)) < 40 and set(finished(places).values()) == {1}
    abandoned = said.count("abandoned  toy on")
    assert abandoned <= 2
    journal = (places.local / "sweeps" / "toys" / "asked.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(journal) == len(finished(places)) + abandoned


@pytest.mark.slow
def test_trials_of_several_workers_nest_ray_train(cluster: None, places: Places) -> None:
    spec = sweep(space={"q": [0.2, 0.6]}, sampler="grid", default=False, resources={"workers": 2})
    swept = run_sweep(spec, places)
    assert swept.snapshot["studies"][0]["counts"] == {"complete": 2, "pruned": 0, "failed": 0}


def _kill_and_go_on(places: Places, folder: Path, trials: int, kills: int) -> None:
    """Run a sweep from the command line, killing its driver ``kills`` times at random moments between two trials."""
    draw = random.Random(trials)
    per_life = trials // (kills + 1)
    for _ in range(kills):
        driver = _start(places, folder, trials)
        target = len(finished(places)) + draw.randint(1, per_life)
        _wait(lambda driver=driver, target=target: len(finished(places)) >= target or driver.poll() is not None)
        time.sleep(draw.random() * 0.3)
        assert driver.poll() is None, "the driver was to be killed before its end"
        _kill(driver)
    last = _start(places, folder, trials)
    assert last.wait(timeout=300) == 0
    found = finished(places)
    assert len(found) == trials and set(found.values()) == {1}


def _start(places: Places, folder: Path, trials: int, *words: str) -> subprocess.Popen[bytes]:
    file = folder / "toys.toml"
    file.write_text(
        f'name = "toys"\nmethods = ["toy"]\ndatasets = ["{WORLD}"]\nconcurrency = 2\n'
        f"budget = {{ trials = {trials} }}\n[params]\nseconds = 1.0\n[space]\nq = {{}}\nbeta = {{}}\n"
    )
    environment = {**os.environ, "SUITE_METHODS": str(TOY), "SUITE_OUTPUTS": places.outputs, "OMP_NUM_THREADS": "1"}
    if "--address" in words:  # of a cluster of this process, which has a token where an earlier test made one
        environment |= {"RAY_AUTH_MODE": os.environ.get("RAY_AUTH_MODE", "disabled")}
    command = [sys.executable, "-c", "from suite.cli import main; main()", "sweep", str(file), "--json", *words]
    log = (folder / "driver.log").open("ab")
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)


def _kill(driver: subprocess.Popen[bytes]) -> None:
    """SIGKILL the driver; what it had started must follow it by itself, or is swept up."""
    children = psutil.Process(driver.pid).children(recursive=True)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    _, left = psutil.wait_procs(children, timeout=20)
    for process in left:
        process.kill()


def _wait(ready: Any, seconds: float = 240.0) -> None:
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, "nothing came to its end"
        time.sleep(0.1)
