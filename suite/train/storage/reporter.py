"""How the loop tells of its progress and asks whether to go on: one port, three adapters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Progress:
    """Where a training is: ``done`` of ``total`` epochs, and the curve values of the last evaluation."""

    phase: str
    epoch: int
    done: int
    total: int
    values: Mapping[str, float]


class Reporter(Protocol):
    """The port: called after each epoch; False asks the loop to stop early and to return what it has."""

    def report(self, progress: Progress) -> bool:
        """Take note of ``progress``; return whether to go on."""


class Silent:
    """Says nothing and never stops."""

    def report(self, progress: Progress) -> bool:
        """Go on."""
        return True


@dataclass
class Calling:
    """Hands every progress to a function (a progress bar, a queue); goes on unless it returns False."""

    function: Callable[[Progress], bool | None]

    def report(self, progress: Progress) -> bool:
        """Go on unless the function says False."""
        return self.function(progress) is not False


class TrainReporter:
    """Inside a Ray Train worker: metrics reach ``ray.train`` (which also notices a worker that is gone)."""

    def report(self, progress: Progress) -> bool:
        """Report to Ray Train; the curves themselves go through the ledger."""
        import ray.train

        ray.train.report({"epoch": progress.done, **progress.values})
        return True
