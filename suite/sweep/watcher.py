"""The reporter of a sweep's run: asks whether to go on, and whether this configuration is still worth it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal, Protocol

from suite.train.storage.reporter import Progress

ASK_EVERY = 1.0  # seconds between questions to the coordinator whether to go on


class Judge(Protocol):
    """What a worker asks while it trains."""

    def judge(self, study: int, number: int, step: int, value: float) -> bool:
        """Whether to give a proposal up."""

    def going(self) -> bool:
        """Whether to go on at all."""


@dataclass
class Watcher:
    """Stops a run when the sweep is stopped or the pruner gives its configuration up; ``said`` tells which.

    ``curve`` is the name of the objective among the progress values; empty: curves are not judged.
    """

    judge: Judge
    study: int
    number: int
    curve: str = ""
    points: int = 0
    said: Literal["", "stopped", "pruned"] = ""
    place: str = ""
    asked: float = field(default_factory=time.monotonic)

    def report(self, progress: Progress) -> bool:
        """Whether to go on; the last epoch is never given up, it is paid for."""
        if self.curve in progress.values:
            self.points += 1
            given_up = self.judge.judge(self.study, self.number, self.points, progress.values[self.curve])
            if given_up and progress.done < progress.total:
                self.said, self.place = "pruned", f"epoch {progress.done} of {progress.total}"
        if not self.said and time.monotonic() - self.asked > ASK_EVERY:
            self.asked = time.monotonic()
            self.said = "" if self.judge.going() else "stopped"
        return not self.said
