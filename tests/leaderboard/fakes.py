"""A plan of fake runs, and an execute that needs no training."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import polars as pl

from suite.leaderboard.plan import Plan
from suite.results.brief import in_brief
from suite.results.ledger import Ledger
from suite.spec.board import BoardRun, LeaderboardSpec
from suite.spec.run import RunSpec
from suite.train.storage.reporter import Progress
from tests.results.ledgers import outcome

BOARD = LeaderboardSpec.model_validate(
    {"name": "fake", "title": "Fake", "tables": [{"title": "T", "datasets": ["planted-verbs"], "methods": ["all"]}]}
)


def plan(ledger: Ledger, count: int = 6, method: str = "mask-bce") -> Plan:
    """``count`` runs, told apart by their seeds."""
    asked = []
    for seed in range(count):
        spec = RunSpec(method=method, dataset="planted-verbs", seed=seed)
        asked.append(BoardRun(spec, outcome(method, seed).id, 0, "Mask BCE", "planted-verbs"))
    return Plan(BOARD, tuple(asked), in_brief(ledger.runs()))


def fake_execute(spec, places, reporter=None, machine=None, group=""):
    """Three epochs of a hundredth of a second; seed 3 fails; leaves a mark for every start."""
    folder = Path(places.outputs)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "starts").open("a") as file:
        file.write(f"{spec.seed}\n")
    made = outcome(spec.method, spec.seed, group=group)
    for epoch in range(3):
        time.sleep(0.01)
        if reporter is not None and not reporter.report(Progress("train", epoch, epoch + 1, 3, {})):
            return type(made)(made.run, extra={"complete": False})
    return made.failed("ValueError: the seed is 3") if spec.seed == 3 else made


def interrupted_execute(spec, places, reporter=None, machine=None, group=""):
    """Seed 2 never ends: the user presses Ctrl-C."""
    if spec.seed == 2:
        raise KeyboardInterrupt
    return fake_execute(spec, places, reporter, machine, group)


def deadly_execute(spec, places, reporter=None, machine=None, group=""):
    """Seed 1 kills its process, every time."""
    if spec.seed == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return fake_execute(spec, places, reporter, machine, group)


def starts(folder: Path) -> list[int]:
    """The seeds that were started, in order."""
    file = folder / "starts"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def status(ledger: Ledger) -> dict[int, str]:
    """Seed to status."""
    return dict(ledger.runs().select(pl.col("seed"), pl.col("status")).iter_rows())
