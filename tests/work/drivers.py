"""Boards of toys run from the command line, and what becomes of their processes when something is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil

from suite.places import Places
from suite.results.ledger import Ledger

ROOT = Path(__file__).resolve().parents[2]
TOY = ROOT / "tests" / "sweep" / "toy.py"
WORLD = "planted-verbs[train=40,validation=100,test=50,verbs=8]"
BOARD = """
name = "toys"
title = "Toys"
[[tables]]
title = "T"
task = "recognition"
datasets = ["{world}"]
methods = [{{ method = "toy", params = {{ seconds = {seconds}, epochs = {epochs} }} }}]
seeds = {seeds}
"""


class Driver:
    """``suite leaderboard`` (or ``sweep``) in a process group of its own, its words in a log."""

    def __init__(self, folder: Path, words: list[str], **environment: str) -> None:
        self.log = folder / "driver.log"
        own = {"SUITE_METHODS": str(TOY), "SUITE_OUTPUTS": str(folder / "outputs"), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", "from suite.cli import main; main()", *words]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **own, **environment}, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.places = Places(str(folder / "outputs"))
        self.seen: set[psutil.Process] = set()

    def family(self) -> list[psutil.Process]:
        """The driver's processes of now; all that were ever seen are remembered."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        self.seen.update(found)
        return found

    def named(self, part: str) -> list[psutil.Process]:
        """Processes below the driver whose name holds ``part``."""
        return [process for process in self.family() if part in process.name()]

    def wait(self, ready: Callable[[], bool], seconds: float = 240.0) -> None:
        """Until ``ready``, while the driver lives."""
        until = time.monotonic() + seconds
        while not ready():
            assert self.process.poll() is None, f"the driver ended: {self.said()}"
            assert time.monotonic() < until, f"nothing came to its end: {self.said()}"
            time.sleep(0.1)
        self.family()

    def end(self, seconds: float = 240.0) -> int:
        """The exit code, once the driver ended and nothing that it started is left."""
        code = self.process.wait(timeout=seconds)
        _, left = psutil.wait_procs(self.seen, timeout=15)
        names = [process.name() for process in left]
        for process in left:
            process.kill()
        assert not names, f"processes are left: {names}"
        return code

    def wait_for_end(self, seconds: float = 1200.0) -> None:
        """Until the driver ended, however it does."""
        until = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < until, f"it does not end: {self.said()}"
            self.family()
            time.sleep(0.3)
        self.end()

    def kill(self) -> None:
        """SIGKILL; what the driver started must follow it by itself, or is swept up."""
        self.family()
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        _, left = psutil.wait_procs(self.seen, timeout=20)
        for process in left:
            process.kill()

    def said(self) -> str:
        """What was printed."""
        return self.log.read_text(encoding="utf-8")

    def finished(self) -> Counter[str]:
        """Finished attempts by run."""
        rows = Ledger(self.places.ledger).runs(all_attempts=True).to_dicts()
        return Counter(row["run"] for row in rows if row["status"] == "finished")


def board(folder: Path, seeds: int = 12, seconds: float = 0.6, epochs: int = 2) -> str:
    """The file of a board of one toy with many seeds."""
    file = folder / "toys.toml"
    file.write_text(BOARD.format(world=WORLD, seconds=seconds, seeds=seeds, epochs=epochs))
    return str(file)
