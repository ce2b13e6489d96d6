"""How the loop reports its progress and learns whether to go on: one port and its adapters."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

TELL_EVERY = 1.0  # seconds between two words about what is being done


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


@dataclass(frozen=True)
class Doing:
    """What a training does between two reports: ``done`` of ``total`` (0: unknown) steps, clips or videos."""

    what: str
    done: int
    total: int = 0

    def in_words(self) -> str:
        """As ``step 120 of 1,000``."""
        return f"{self.what} {self.done:,} of {self.total:,}" if self.total else f"{self.what} {self.done:,}"


class Reporter(Protocol):
    """The port of the loop."""

    def report(self, progress: Progress) -> bool:
        """Take note of ``progress`` after each epoch; False makes the loop stop early and return what it has."""

    def tell(self, doing: Doing) -> None:
        """Take note of what is being done before the first epoch or within one; cheap, called once a second."""


class Telling:
    """A listener of long work (:data:`suite.telling.Tell`) that tells ``reporter``, unless it did a moment ago."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter, self.last = reporter, time.monotonic()

    def __call__(self, what: str, done: int, total: int) -> None:
        if time.monotonic() - self.last >= TELL_EVERY:
            self.last = time.monotonic()
            self.reporter.tell(Doing(what, done, total))


class Silent:
    """Reports nothing and never stops."""

    def report(self, progress: Progress) -> bool:
        """Go on."""
        return True

    def tell(self, doing: Doing) -> None:
        """Say nothing."""


@dataclass
class Calling:
    """Hands every progress to a function (a progress bar, a queue); goes on unless it returns False.

    ``telling`` gets what is being done within an epoch.
    """

    function: Callable[[Progress], bool | None]
    telling: Callable[[Doing], None] | None = None

    def report(self, progress: Progress) -> bool:
        """Go on unless the function says False."""
        return self.function(progress) is not False

    def tell(self, doing: Doing) -> None:
        """Pass it on where anyone listens."""
        if self.telling is not None:
            self.telling(doing)
