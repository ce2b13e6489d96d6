"""How the loop reports its progress and learns whether to go on: one port and its adapters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Progress:
    """Where a training is: ``done`` of ``total`` epochs, and the curve values of the epoch that ended.

    ``share`` (0 to 1) of the training is behind it, where budgets in steps count too; 0 where nobody knows.
    """

    phase: str
    epoch: int
    done: int
    total: int
    values: Mapping[str, float]
    share: float = 0.0


class Reporter(Protocol):
    """The port: called after each epoch; False makes the loop stop early and return what it has."""

    def report(self, progress: Progress) -> bool:
        """Take note of ``progress``; return whether to go on."""


class Silent:
    """Reports nothing and never stops."""

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
