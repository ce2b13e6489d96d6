"""Real workers: two processes take the same steps as one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WORKER = """
import sys
import torch, torch.distributed as dist
from suite.train.training import Settings
from tests.train.world import train, world
rank, size, store = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.set_num_threads(1)
if size > 1:
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
trained = train(Settings(), dropout=0.0)
if rank == 0:
    torch.save(dict(trained.network.state_dict()), store + ".weights")
if size > 1:
    dist.barrier()  # a rank that leaves while another still talks to it makes that one abort
    dist.destroy_process_group()
"""


def _weights(folder: Path, size: int):
    import torch

    store = folder / f"group-of-{size}"
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", WORKER]
    ranks = [
        subprocess.Popen([*command, str(r), str(size), str(store)], cwd=root, env={**os.environ}) for r in range(size)
    ]
    assert [process.wait(timeout=240) for process in ranks] == [0] * size
    return torch.load(f"{store}.weights", weights_only=True)


def test_two_workers_agree_with_one(tmp_path: Path):
    alone, together = _weights(tmp_path, 1), _weights(tmp_path, 2)
    for name, tensor in alone.items():
        assert (tensor - together[name]).abs().max() < 1e-4, name


VERBS = ("assume-negative", "planted-verbs", {})
SHORT = "planted-videos[videos=24,video_seconds=30,classes=3]"
VIDEOS = ("action-selection", SHORT, {"batch": 6, "evaluate_every": 1})


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "accumulate"), [(VERBS, 1), (VIDEOS, 2)])
def test_ray_train_workers_agree_with_this_process(tmp_path: Path, asked, accumulate: int):
    """Also where each of them computes its part of a batch in pieces."""
    import polars as pl

    from suite.places import Places
    from suite.runs import resolve_run
    from suite.work.launch import launch
    from suite.work.machine import Machine

    spec = resolve_run(*asked, epochs=2)
    values = []
    for machine in (Machine(), Machine(workers=2, accumulate=accumulate)):
        outcome = launch(spec, Places(str(tmp_path / str(machine.workers))), machine=machine)
        assert outcome.run["status"] == "finished", outcome.run["error"]
        values.append(pl.DataFrame(outcome.metrics).filter(pl.col("metric") == "mAP")["value"])
    assert len(values[0]) and (values[0] - values[1]).abs().max() < 1e-3


def test_an_address_where_nothing_answers_is_told_at_once():
    from suite.errors import UsageError
    from suite.work.cluster import connected

    with pytest.raises(UsageError, match=r"no Ray cluster answers at '127\.0\.0\.1:9'"), connected("127.0.0.1:9"):
        pass


def test_ray_is_started_again_where_the_machine_was_too_busy():
    from suite.errors import SuiteError
    from suite.work.cluster import _start

    tries = []

    def begin(succeed_at: int = 3, words: str = "The current node timed out during startup. This could happen") -> None:
        tries.append(1)
        if len(tries) < succeed_at:
            raise Exception(words)

    _start(begin)
    assert len(tries) == 3
    tries.clear()
    with pytest.raises(SuiteError, match="Ray could not start on this machine"):
        _start(lambda: begin(9))
    assert len(tries) == 3
    tries.clear()
    with pytest.raises(SuiteError, match="no such file"):
        _start(lambda: begin(9, "no such file"))
    assert len(tries) == 1
