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
from suite.work.progress import duration

if TYPE_CHECKING:
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


@contextmanager
def display(headline: str, quiet: bool) -> Iterator[Reporter]:
    """A reporter that shows the course of a training on standard error (nothing when ``quiet``)."""
    from suite.train.storage.reporter import Calling, Silent

    if quiet:
        yield Silent()
        return
    course = Course(headline)
    if not sys.stderr.isatty():
        said = monotonic()

        def tell(progress: Progress) -> None:
            nonlocal said
            if course.take(progress):
                said = monotonic()
                complain(course.line(progress))

        def within(doing: Doing) -> None:
            nonlocal said
            if monotonic() - said >= WITHIN_EVERY:
                said = monotonic()
                complain(doing.in_words())

        yield Calling(tell, within)
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(stderr=True), transient=True, refresh_per_second=4) as live:
        latest = "starting …"

        def draw(progress: Progress) -> None:
            nonlocal latest
            course.take(progress)
            latest = course.line(progress)
            live.update(Text(latest, no_wrap=True, overflow="ellipsis"))

        def add(doing: Doing) -> None:
            live.update(Text(f"{latest}\n{doing.in_words()}", no_wrap=True, overflow="ellipsis"))

        live.update(Text(latest))
        yield Calling(draw, add)
