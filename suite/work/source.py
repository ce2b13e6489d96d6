"""Who hands out work: one object for all workers of a leaderboard or a sweep.

It lives in the process that carries the work out, or in a Ray actor beside the driver; it does not depend on Ray.
What it remembers may be lost at any moment: the ledger has what is finished, and what was handed out is handed out
again.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from suite.train.storage.reporter import Doing, Progress
from suite.work.progress import Running, noted

HERE = "here"  # the worker of a source that lives in the process that does its work

Watch = Callable[[Any], None]  # called with each snapshot of a source


@dataclass(frozen=True)
class Item:
    """What a worker carries out at a time: one unit, or several that may be trained as one stack."""

    number: int
    units: tuple[Any, ...]


Answer = Item | Literal["wait", "over"]


class Supply(Protocol):
    """What a worker sees of a source, whether it is an object of its own process or an actor's.

    ``every``: seconds that should lie between two reports of a worker.
    """

    every: float

    def next(self, worker: str) -> Answer:
        """An item; ``wait`` while others may still lose theirs; ``over`` when nothing is left."""

    def done(self, worker: str, number: int, results: Sequence[Any]) -> None:
        """Report what became of the units of an item."""

    def going(self) -> bool:
        """Whether runs under way should go on."""

    def report(self, progress: Progress) -> bool:
        """Say where the worker's item is; whether to go on."""

    def tell(self, doing: Doing) -> bool:
        """Say what is being done for the worker's item within an epoch; whether to go on."""

    def break_off(self, worker: str, reason: str) -> None:
        """End all work, as nothing more can be carried out: ``reason`` in one sentence."""


def _nothing() -> None:
    """What happens when work begins or reports, unless the process that does it shows where it is."""


class Source(ABC):
    """Hands out items and keeps account of who has them; what the units are is for subclasses to say.

    A unit whose worker dies is handed out again, up to ``retries`` times.
    """

    retries = 1
    every = 1.0

    def __init__(self) -> None:
        self.at_work: dict[str, Item] = {}
        self.begun: dict[str, float] = {}
        self.notes: dict[str, Progress] = {}
        self.doing: dict[str, Doing] = {}
        self.on_change: Callable[[], None] = _nothing
        self.returned: deque[Item] = deque()
        self.deaths: Counter[Hashable] = Counter()
        self.stopping = False
        self.broken = ""
        self.items = 0
        self.heard = time.monotonic()

    # What workers call --------------------------------------------------------------------------------------------

    def next(self, worker: str) -> Answer:
        """See :class:`Supply`."""
        self.lost(worker)  # a worker that asks while it has an item was started anew and has lost it
        self.heard = time.monotonic()
        if self._ending or not self._has_more():
            return "wait" if (self.at_work or self.elsewhere()) and not self._ending else "over"
        item = self.at_work[worker] = self.returned.popleft()
        self.begun[worker] = self.heard
        self.notes.pop(worker, None)
        self.doing.pop(worker, None)
        self.on_change()
        return item

    def done(self, worker: str, number: int, results: Sequence[Any]) -> None:
        """See :class:`Supply`; an item that was taken for lost meanwhile is with another worker and passed over."""
        self.heard = time.monotonic()
        item = self.at_work.get(worker)
        if item is not None and item.number == number:
            del self.at_work[worker]
            self._give_back(self.take(item.units, results))

    def going(self) -> bool:
        """See :class:`Supply`."""
        return not self.stopping

    def report(self, progress: Progress, worker: str = HERE) -> bool:
        """See :class:`Supply`."""
        self.heard = time.monotonic()
        self.notes[worker] = progress
        self.doing.pop(worker, None)
        self.on_change()
        return self.going()

    def tell(self, doing: Doing, worker: str = HERE) -> bool:
        """See :class:`Supply`."""
        self.heard = time.monotonic()
        self.doing[worker] = doing
        self.on_change()
        return self.going()

    def break_off(self, worker: str, reason: str) -> None:
        """See :class:`Supply`."""
        self.at_work.pop(worker, None)
        self.broken = self.broken or reason
        self.stop()

    # What the driver says -----------------------------------------------------------------------------------------

    def lost(self, worker: str) -> None:
        """``worker`` died: its units go to other workers, and are given up when they kill those, too."""
        item = self.at_work.pop(worker, None)
        if item is None:
            return
        self.heard = time.monotonic()
        again = []
        for unit in item.units:
            # Of a stack nobody knows which unit was to blame: it is found when they run one by one.
            self.deaths[self.key(unit)] += len(item.units) == 1
            if self.deaths[self.key(unit)] > self.retries:
                self.give_up(unit, self.deaths[self.key(unit)])
            else:
                again.append(unit)
        self._give_back(again)

    def stop(self) -> None:
        """Hand out nothing more, and ask the runs under way to stop."""
        self.stopping = True

    def settled(self) -> bool:
        """Whether nothing is under way, nor left to do."""
        return not self.at_work and (self._ending or not (self._has_more() or self.elsewhere()))

    def why_broken(self) -> str:
        """Why the work was broken off; empty where it was not."""
        return self.broken

    def silent(self) -> float:
        """Seconds for which no worker has been at work, nor has asked for any."""
        return 0.0 if self.at_work else time.monotonic() - self.heard

    def running(self) -> list[Running]:
        """What the workers have, and where it is."""
        now = time.monotonic()
        return [self._running(worker, item, now) for worker, item in self.at_work.items()]

    def _running(self, worker: str, item: Item, now: float) -> Running:
        more = f" and {len(item.units) - 1} more" if len(item.units) > 1 else ""
        what, seconds = f"{self.describe(item.units[0])}{more}", now - self.begun.get(worker, now)
        note, doing = self.notes.get(worker), self.doing.get(worker)
        words = doing.in_words() if doing else ""
        if note is None:
            return Running(what, worker, seconds=seconds, doing=words)
        metric, value = noted(note)
        return Running(what, worker, note.done, note.total, metric, value, seconds, words)

    # What subclasses say ------------------------------------------------------------------------------------------

    @abstractmethod
    def fresh(self) -> Sequence[Any]:
        """The units of the next item; none when all have been handed out."""

    @abstractmethod
    def key(self, unit: Any) -> Hashable:
        """What distinguishes a unit from others."""

    @abstractmethod
    def take(self, units: Sequence[Any], results: Sequence[Any]) -> Sequence[Any]:
        """Take note of the ``results`` of an item's ``units``; returns the units to hand out again."""

    @abstractmethod
    def give_up(self, unit: Any, deaths: int) -> None:
        """Record as failed a unit under which ``deaths`` workers died."""

    def describe(self, unit: Any) -> str:
        """A unit in words."""
        return str(unit)

    @abstractmethod
    def snapshot(self) -> Any:
        """Where the work stands, for the driver to show."""

    def elsewhere(self) -> bool:
        """Whether something is left that others than this source's workers are carrying out."""
        return False

    def late(self) -> bool:
        """Whether the time for new items is over."""
        return False

    def close(self) -> None:
        """All work came to its end: nothing is handed out any more."""
        self.stopping = True

    # Inside -------------------------------------------------------------------------------------------------------

    @property
    def _ending(self) -> bool:
        return self.stopping or self.late()

    def _has_more(self) -> bool:
        if not self.returned and (units := self.fresh()):
            self.returned.append(self._item(units))
        return bool(self.returned)

    def _give_back(self, units: Sequence[Any]) -> None:
        self.returned.extend(self._item([unit]) for unit in units)

    def _item(self, units: Sequence[Any]) -> Item:
        self.items += 1
        return Item(self.items, tuple(units))
