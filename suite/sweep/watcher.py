"""The reporter of a sweep's run: stops it with the sweep, or when the pruner gives its configuration up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from suite.train.storage.reporter import Doing, Progress
from suite.work.source import Supply
from suite.work.worker import GoOn


class Judge(Supply, Protocol):
    """What the trials of a sweep need of its source."""

    def judge(self, study: int, number: int, step: int, value: float) -> bool:
        """Whether to give a proposal up."""


@dataclass
class Watcher:
    """Stops a run when the sweep is stopped, or when the pruner gives its configuration up: ``pruned`` says where.

    ``curve`` is the name of the objective among the progress values; empty: curves are not judged.
    """

    judge: Judge
    study: int
    number: int
    curve: str = ""
    points: int = 0
    pruned: str = ""

    def __post_init__(self) -> None:
        self.asking = GoOn(self.judge)

    def report(self, progress: Progress) -> bool:
        """Whether to go on; the last epoch is never cut: its cost is spent already."""
        if self.curve in progress.values:
            self.points += 1
            given_up = self.judge.judge(self.study, self.number, self.points, progress.values[self.curve])
            if given_up and progress.done < progress.total:
                self.pruned = f"epoch {progress.done} of {progress.total}"
        return not self.pruned and self.asking.report(progress)

    def tell(self, doing: Doing) -> None:
        """Pass it on."""
        self.asking.tell(doing)
