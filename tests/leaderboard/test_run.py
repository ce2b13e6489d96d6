"""Carrying out plans: nothing lost, nothing repeated, whatever happens."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import pytest

from suite.leaderboard.run import Terms, in_process, run_plan
from suite.places import Places
from suite.results.ledger import Ledger
from tests.leaderboard.fakes import deadly_execute, fake_execute, interrupted_execute, plan, starts, status

HERE = Terms(jobs=1)


def test_runs_all_records_all_and_tells_of_each(tmp_path):
    places, heard = Places(str(tmp_path)), []
    ledger = Ledger(places.ledger)
    result = run_plan(plan(ledger), places, terms=HERE, watch=heard.extend, execute=fake_execute)
    assert [done.status for done in heard].count("finished") == 5 and len(heard) == 6
    assert [done.error for done in result.of("failed")] == ["ValueError: the seed is 3"]
    assert status(ledger) == {0: "finished", 1: "finished", 2: "finished", 3: "failed", 4: "finished", 5: "finished"}
    assert heard[0].headline == 0.5 and not result.left and not result.interrupted
    assert set(ledger.runs()["group"]) == {"fake"}


def test_second_time_only_the_failure_is_tried_again(tmp_path):
    places = Places(str(tmp_path))
    ledger = Ledger(places.ledger)
    run_plan(plan(ledger), places, terms=HERE, execute=fake_execute)
    again = plan(ledger)
    assert [asked.spec.seed for asked in again.todo] == [3] and again.failed == {again.todo[0].run}
    run_plan(again, places, terms=HERE, execute=fake_execute)
    assert starts(tmp_path) == [0, 1, 2, 3, 4, 5, 3]


def test_a_run_that_another_driver_finished_meanwhile_is_not_repeated(tmp_path):
    places = Places(str(tmp_path))
    ledger = Ledger(places.ledger)
    early = plan(ledger, 2)
    run_plan(plan(ledger, 1), places, terms=HERE, execute=fake_execute)
    result = run_plan(early, places, terms=HERE, execute=fake_execute)
    assert [done.status for done in result.ended] == ["held", "finished"] and starts(tmp_path) == [0, 1]


def test_interrupt_keeps_what_is_finished_and_names_what_is_left(tmp_path):
    places = Places(str(tmp_path))
    ledger = Ledger(places.ledger)
    result = run_plan(plan(ledger, 5), places, terms=HERE, execute=interrupted_execute)
    assert result.interrupted and [asked.spec.seed for asked in result.left] == [2, 3, 4]
    assert status(ledger) == {0: "finished", 1: "finished"}
    result = run_plan(plan(ledger, 5), places, terms=HERE, execute=fake_execute)
    assert starts(tmp_path) == [0, 1, 2, 3, 4] and not result.left


def test_nothing_to_do_starts_nothing(tmp_path):
    def never(*arguments, **options):
        raise AssertionError("executed")

    places = Places(str(tmp_path))
    ledger = Ledger(places.ledger)
    run_plan(plan(ledger, 3), places, terms=HERE, execute=fake_execute)
    result = run_plan(plan(ledger, 3), places, execute=never)
    assert result.ended == [] and result.left == []


def test_small_known_plans_stay_in_process(tmp_path):
    places = Places(str(tmp_path))
    ledger = Ledger(places.ledger)
    assert not in_process(plan(ledger, 2), Terms())  # nothing known of durations
    assert in_process(plan(ledger, 1), Terms()) and in_process(plan(ledger, 2), HERE)
    run_plan(plan(ledger, 1), places, terms=HERE, execute=fake_execute)
    assert plan(ledger, 5).seconds() == 8.0
    assert in_process(plan(ledger, 5), Terms())
    assert not in_process(plan(ledger, 12), Terms())
    assert not in_process(plan(ledger, 5), Terms(address="ray://somewhere"))


def _drive(folder):
    places = Places(folder)
    run_plan(plan(Ledger(places.ledger), 30), places, terms=HERE, execute=fake_execute)


def test_killed_at_any_moment_nothing_is_lost_or_repeated(tmp_path):
    ledger = Ledger(Places(str(tmp_path)).ledger)
    driver = multiprocessing.get_context("spawn").Process(target=_drive, args=(str(tmp_path),))
    driver.start()
    deadline = time.monotonic() + 60
    while len(ledger.finished()) < 4 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(driver.pid, signal.SIGKILL)
    driver.join()
    held = {seed for seed, how in status(ledger).items() if how == "finished"}
    assert len(held) >= 4
    begun = len(starts(tmp_path))
    _drive(str(tmp_path))
    assert not held & set(starts(tmp_path)[begun:]) - {3}
    assert len(ledger.finished()) == 29 and len(ledger.metrics()) == 29 * 18


@pytest.mark.slow
def test_pool_of_actors_survives_the_death_of_a_worker(tmp_path):
    places = Places(str(tmp_path))
    ledger = Ledger(places.ledger)
    result = run_plan(plan(ledger, 6), places, terms=Terms(jobs=2), execute=deadly_execute)
    assert len(result.of("finished")) == 4 and {done.asked.spec.seed for done in result.of("failed")} == {1, 3}
    errors = dict(ledger.runs().select("seed", "error").iter_rows())
    assert "died 2 times" in errors[1] and "seed is 3" in errors[3]
    assert sorted(set(starts(tmp_path))) == [0, 2, 3, 4, 5]


@pytest.mark.slow
def test_runs_go_to_every_node_of_a_given_cluster_and_a_lost_node_loses_nothing(tmp_path):
    import ray
    from ray.cluster_utils import Cluster

    size = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    nodes, places = Cluster(initialize_head=True, head_node_args=size), Places(str(tmp_path))
    ledger, heard = Ledger(places.ledger), []
    try:
        others = [nodes.add_node(**size)]
        nodes.wait_for_nodes()

        def watch(done):
            heard.extend(done)
            if len(heard) >= 6 and others:
                nodes.remove_node(others.pop(), allow_graceful=False)

        result = run_plan(
            plan(ledger, 14), places, terms=Terms(address=nodes.address), watch=watch, execute=fake_execute
        )
    finally:
        ray.shutdown()
        nodes.shutdown()
    assert len(result.of("finished")) + len(result.of("held")) == 13 and len(result.of("failed")) == 1
    assert len(ledger.finished()) == 13
