"""Reading several files at a time: one by one, each waits for the disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

READERS = 4  # files read at a time

ItemT = TypeVar("ItemT")
ReadT = TypeVar("ReadT")


def each_ahead(read: Callable[[ItemT], ReadT], items: Iterable[ItemT]) -> Iterator[ReadT]:
    """``read`` of each item in order, while the next few are read in threads; raises what ``read`` raises."""
    from concurrent.futures import ThreadPoolExecutor  # only here: plans find the files that they need read already

    with ThreadPoolExecutor(READERS) as pool:
        waiting: deque[Future[ReadT]] = deque()
        for item in items:
            waiting.append(pool.submit(read, item))
            if len(waiting) > READERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
