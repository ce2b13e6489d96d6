"""How far a command is: what every board, sweep and training says of itself to a terminal, a log and other machines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from suite.telling import duration
from suite.train.storage.reporter import Progress

SHOWN = 3  # runs under way in a line


@dataclass(frozen=True)
class Running:
    """One run under way: ``done`` of ``total`` epochs (0 of 0: nothing heard yet), its last validation number, and
    what it is ``doing`` since."""

    what: str
    worker: str = ""
    done: int = 0
    total: int = 0
    metric: str = ""
    value: float | None = None
    seconds: float = 0.0  # since a worker got it
    doing: str = ""

    @property
    def share(self) -> float:
        """How much of it is done, from 0 to 1; 0 where it counts no epochs in advance."""
        return self.done / self.total if self.done < self.total else 0.0

    def in_words(self) -> str:
        """What it is and where it stands."""
        epoch = f"epoch {self.done} of {self.total}" if self.share else f"epoch {self.done}" if self.done else ""
        value = "" if self.value is None else f"{self.metric} {self.value:.3f}"
        return f"{self.what}: {', '.join(filter(None, (epoch, value, self.doing))) or 'starts'}"


@dataclass(frozen=True)
class Standing:
    """Where a command stands: ``done`` of ``planned`` runs or trials, ``left`` seconds where that can be guessed."""

    title: str
    done: int
    planned: float
    failed: int = 0
    running: Sequence[Running] = field(default_factory=tuple)
    best: str = ""
    seconds: float = 0.0
    left: float | None = None

    def settled(self) -> Standing:
        """The same without what changes between two epochs."""
        return replace(self, running=tuple(replace(one, doing="") for one in self.running))

    def headline(self) -> str:
        """All of it in a line, but for what is running."""
        failed = f", {self.failed} failed" if self.failed else ""
        best = f", best {self.best}" if self.best else ""
        left = "" if self.left is None else f", about {duration(self.left)} left"
        of = f"{self.done} of {self.planned:g}" if math.isfinite(self.planned) else str(self.done)
        return f"{self.title}: {of} done{failed}, {len(self.running)} running{best}{left}"

    def line(self) -> str:
        """The headline with the runs under way, those that are nearest to their end first."""
        first = sorted(self.running, key=lambda one: -one.share)[:SHOWN]
        more = f"; {len(self.running) - SHOWN} more" if len(self.running) > SHOWN else ""
        return self.headline() + (f" | {'; '.join(one.in_words() for one in first)}{more}" if first else "")


@dataclass
class Pace:
    """The time left: ``total`` units of work at the pace seen so far, runs under way counted by their epochs."""

    total: float
    done: float = 0.0

    def left(self, under_way: float, seconds: float) -> float | None:
        """Seconds left after ``seconds``, with ``under_way`` units done of what is running; None before anything is."""
        spent = self.done + under_way
        if spent <= 0 or not math.isfinite(self.total):
            return None
        return seconds * max(0.0, self.total - spent) / spent


def noted(progress: Progress) -> tuple[str, float | None]:
    """The number by which a run is judged while it trains: its first one on validation data."""
    for name, value in progress.values.items():
        if name.startswith("validation/"):
            return name.removeprefix("validation/"), value
    return "", None


def brief(progress: Progress) -> Progress:
    """``progress`` with that number alone: thousands of workers report each second."""
    kept = {name: value for name, value in progress.values.items() if name.startswith("validation/")}
    return Progress(progress.phase, progress.epoch, progress.done, progress.total, dict([*kept.items()][:1]))
