"""What a pool asks of a cluster."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from typing import Any

import pytest

from suite.errors import UsageError
from suite.spec.resources import Resources
from suite.work.aside import Aside
from suite.work.demand import Quota, Work, concurrency
from suite.work.pool import waits_for_nobody


def work(at_once: int = 0, **resources: Any) -> Work:
    return Work("sweep toys", lambda _: None, lambda _: None, Resources(**resources), at_once)


def test_more_than_the_cluster_has_is_one_sentence() -> None:
    with pytest.raises(UsageError, match="sweep toys needs 8 GPUs for 4 runs at once, but the cluster has 1"):
        concurrency(work(4, gpu=2.0), {"CPU": 64.0, "GPU": 1.0})
    assert concurrency(work(cpu=2), {"CPU": 7.0}) == 3
    assert concurrency(work(workers=2), {"CPU": 4.0}) == 2


def limited(quota: Quota, at_once: int = 0, **resources: Any) -> Work:
    return replace(work(at_once, **resources), quota=quota)


def test_a_quota_limits_what_is_held_at_once() -> None:
    assert concurrency(limited(Quota(cpus=3)), {"CPU": 64.0}) == 3
    assert concurrency(limited(Quota(cpus=3), cpu=2), {"CPU": 64.0}) == 1
    assert concurrency(limited(Quota(cpus=3), at_once=8), {"CPU": 64.0}) == 3, "--jobs gives way"
    assert concurrency(limited(Quota(gpus=1), gpu=0.25), {"CPU": 64.0, "GPU": 8.0}) == 4
    assert concurrency(limited(Quota(cpus=100)), {"CPU": 4.0}) == 4
    with pytest.raises(UsageError, match=r"needs 4 CPUs for a run, more than --max-cpus 2; raise that"):
        concurrency(limited(Quota(cpus=2), cpu=4), {"CPU": 64.0})
    with pytest.raises(UsageError, match="more than --max-gpus 0"):
        concurrency(limited(Quota(gpus=0), gpu=1), {"CPU": 64.0, "GPU": 8.0})


def test_a_cluster_that_grows_is_asked_for_what_the_quota_allows() -> None:
    assert concurrency(limited(Quota(cpus=160)), {"CPU": 0.0}, grows=True) == 160
    assert concurrency(limited(Quota(cpus=160), at_once=20), {"CPU": 4.0}, grows=True) == 20
    # Workers of Ray Train would wait for each other, so that only what fits now may start.
    assert concurrency(limited(Quota(cpus=160), workers=2), {"CPU": 4.0}, grows=True) == 2
    with pytest.raises(UsageError, match="needs 1 CPUs for a run, but the cluster has 0"):
        concurrency(work(), {"CPU": 0.0}, grows=True)


def test_who_waits_for_a_busy_or_growing_cluster_waits_on(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def cluster(total: float, free: float) -> None:
        monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": total})
        monkeypatch.setattr(ray, "available_resources", lambda: {"CPU": free})

    cluster(8, 0)
    assert not waits_for_nobody(work(), 10_000), "others hold all of it"
    cluster(8, 4)
    assert waits_for_nobody(work(), 301)
    cluster(0, 0)
    assert not waits_for_nobody(work(), 301) and waits_for_nobody(work(), 1801), "it did not grow"


def test_ctrl_c_while_a_call_is_awaited_leaves_it_to_go_on() -> None:
    """Ctrl-C means to wait for the epochs under way; a thread whose join it interrupts would count as ended."""
    go = threading.Event()
    beside = Aside(lambda: go.wait(10) and "result")
    beside.start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has background jobs ignore it
    try:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            beside.over.wait(10)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not beside.over.is_set() and beside.is_alive()
    go.set()
    assert beside.over.wait(10) and beside.result == "result"


def test_what_went_wrong_beside_is_kept() -> None:
    beside = Aside(lambda: 1 // 0)
    beside.start()
    assert beside.over.wait(10) and isinstance(beside.error, ZeroDivisionError)
