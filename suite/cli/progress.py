"""How far a command is, while it works: a live table on a terminal, a line every few seconds in a log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

from suite.cli.console import complain, shown

if TYPE_CHECKING:
    from rich.console import RenderableType

    from suite.work.progress import Standing

LINE_EVERY = 5.0  # seconds between lines where no terminal is
WITHIN_EVERY = 60.0  # the same while all runs are within an epoch
LISTED = 8  # runs under way in the table


class Log:
    """Lines on standard error: what ended at once, where the work stands every few seconds and when that changed, and
    each minute what is being done within epochs that last longer."""

    def __init__(self) -> None:
        self.last, self.at = ("", ""), monotonic() - LINE_EVERY

    def show(self, standing: Standing, *more: RenderableType) -> None:
        """A line, if it is time for one."""
        settled, line = standing.settled().line(), standing.line()
        wait = LINE_EVERY if settled != self.last[0] else WITHIN_EVERY
        if line != self.last[1] and monotonic() - self.at >= wait:
            self.last, self.at = (settled, line), monotonic()
            complain(line)

    def say(self, line: str) -> None:
        """One line about something that ended."""
        complain(line)


class Table:
    """A table that is drawn over itself, lines about what ended above it."""

    def __init__(self, live: Any) -> None:
        self.live = live

    def show(self, standing: Standing, *more: RenderableType) -> None:
        """Draw it anew; ``more`` stands between the headline and what is running."""
        from rich.console import Group
        from rich.text import Text

        first = sorted(standing.running, key=lambda one: -one.share)[:LISTED]
        rows = [Text(f"running  {shown(one.in_words())}", style="dim") for one in first]
        if len(standing.running) > LISTED:
            rows.append(Text(f"and {len(standing.running) - LISTED} more", style="dim"))
        self.live.update(Group(Text(shown(standing.headline())), *more, *rows, _resources(standing.seconds)))

    def say(self, line: str) -> None:
        """One line above the table."""
        self.live.console.print(shown(line), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def display(title: str, quiet: bool) -> Iterator[Log | Table | None]:
    """Where to show how far ``title`` is; None when ``quiet``."""
    if quiet:
        yield None
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True, markup=False)
    if not console.is_terminal:
        complain(f"{title}: starting …")
        yield Log()
        return
    with Live(f"{title}: starting …", console=console, refresh_per_second=2, transient=True) as live:
        yield Table(live)


def _resources(seconds: float) -> Any:
    import psutil
    from rich.text import Text

    memory, spent = psutil.virtual_memory().percent, f"{seconds:.0f} s since the start"
    return Text(f"this machine: CPU {psutil.cpu_percent():.0f} %, memory {memory:.0f} %; {spent}", style="dim")
