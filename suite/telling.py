"""What long work says of itself while it lasts, wherever it happens: packing features, training steps, scoring."""

from __future__ import annotations

from collections.abc import Callable

Tell = Callable[[str, int, int], None]  # of what, how many are done, of how many in all (0: unknown)


def nobody(what: str, done: int, total: int) -> None:
    """The listener of work that is not followed."""
