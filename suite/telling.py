"""What long work says of itself while it lasts, wherever it happens: packing features, training steps, scoring."""

from __future__ import annotations

from collections.abc import Callable

Tell = Callable[[str, int, int], None]  # of what, how many are done, of how many in all (0: unknown)


def nobody(what: str, done: int, total: int) -> None:
    """The listener of work that is not followed."""


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
