"""What a training says while it runs: one line on a terminal, a line per evaluation elsewhere."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from suite.cli.console import complain
from suite.cli.progress import WITHIN_EVERY
from suite.telling import duration

if TYPE_CHECKING:
    from rich.live import Live

    from suite.train.storage.reporter import Doing, Progress, Reporter

WIDTH = 79  # characters of a line, so that it fits a terminal of 80


class Course:
    """The course of one training: its losses, the headline on validation data, the best of it, the time left."""

    def __init__(self, headline: str, now: Callable[[], float] = monotonic) -> None:
        self.headline, self.now, self.begun = headline, now, now()
        self.best, self.best_at, self.value = -math.inf, 0, math.nan
        self.losses: dict[str, float] = {}
        self.first = math.nan  # the share that was done at the first report, by an earlier process

    def take(self, progress: Progress) -> bool:
        """Take note of an epoch; whether it was evaluated."""
        if math.isnan(self.first):
            # The first epoch belongs to what this process did; of a resumed training more was done before.
            self.first = max(0.0, progress.share - progress.share / max(1, progress.done))
        self.losses = {k[6:]: v for k, v in progress.values.items() if k.startswith("train/")} or self.losses
        found = progress.values.get(f"validation/{self.headline}")
        if found is None:
            return False
        self.value = found
        if found > self.best:
            self.best, self.best_at = found, progress.done
        return True

    def left(self, progress: Progress) -> str:
        """The time left at the pace so far, where the length of the training is known."""
        done = progress.share - self.first
        if not done > 0 or progress.share >= 1:
            return ""
        return f"{duration((self.now() - self.begun) * (1 - progress.share) / done)} left"

    def line(self, progress: Progress) -> str:
        """All of it in at most ``WIDTH`` characters; what is least missed goes first where it is too long."""
        share = f" ({100 * progress.share:.0f} %)" if progress.share > 0 else ""
        total = f"/{progress.total}" if progress.total > progress.done else ""
        start = f"epoch {progress.done}{total}{share}"
        metric = "" if math.isnan(self.value) else f"validation {self.headline} {100 * self.value:.1f}"
        best = f"best {100 * self.best:.1f} at {self.best_at}" if self.best > -math.inf else ""
        losses = [f"{name} {value:.3g}" for name, value in self.losses.items()]
        whole = sum(self.losses.values())
        for parts in (losses, [f"loss {whole:.3g}"] if losses else [], []):
            text = ", ".join(part for part in (start, *parts, metric, best, self.left(progress)) if part)
            if len(text) <= WIDTH:
                return text
        return text[: WIDTH - 1] + "…"


class Lines:
    """Shows a course without a terminal: a line per evaluation, and each minute what is done within a long epoch."""

    def __init__(self, course: Course) -> None:
        self.course, self.last = course, monotonic()

    def report(self, progress: Progress) -> bool:
        """A line where the epoch was evaluated."""
        if self.course.take(progress):
            self._say(self.course.line(progress))
        return True

    def tell(self, doing: Doing) -> None:
        """A line if the last one is a minute old."""
        if monotonic() - self.last >= WITHIN_EVERY:
            self._say(doing.in_words())

    def _say(self, line: str) -> None:
        self.last = monotonic()
        complain(line)


class Drawn:
    """Shows a course on a terminal: the line of the last epoch, and below it what is done since."""

    def __init__(self, course: Course, live: Live) -> None:
        self.course, self.live, self.line = course, live, "starting …"
        self._draw()

    def report(self, progress: Progress) -> bool:
        """Another line."""
        self.course.take(progress)
        self.line = self.course.line(progress)
        self._draw()
        return True

    def tell(self, doing: Doing) -> None:
        """A second line."""
        self._draw(doing.in_words())

    def _draw(self, *more: str) -> None:
        from rich.text import Text

        self.live.update(Text("\n".join((self.line, *more)), no_wrap=True, overflow="ellipsis"))


@contextmanager
def display(headline: str, quiet: bool) -> Iterator[Reporter]:
    """A reporter that shows the course of a training on standard error (nothing when ``quiet``)."""
    from suite.train.storage.reporter import Silent

    if quiet:
        yield Silent()
        return
    course = Course(headline)
    if not sys.stderr.isatty():
        yield Lines(course)
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), transient=True, refresh_per_second=4) as live:
        yield Drawn(course, live)
