"""A call in a thread beside the one that waits for it and keeps Ctrl-C to itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Aside(threading.Thread):
    """Calls ``function``; then ``over`` is set, and ``result`` or ``error`` holds what became of it.

    Wait for ``over`` and not by :meth:`join`: where Ctrl-C interrupts that, the thread counts as ended from then on,
    although it goes on (CPython before 3.13).
    """

    def __init__(self, function: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self.function = function
        self.result: Any = None
        self.error: BaseException | None = None
        self.over = threading.Event()

    def run(self) -> None:
        """What the thread does."""
        try:
            self.result = self.function()
        except BaseException as error:
            self.error = error
        finally:
            self.over.set()
