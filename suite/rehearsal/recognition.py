"""Packs of clips."""

from __future__ import annotations

from suite.errors import UsageError
from suite.rehearsal.request import Draft, Request


def recognition(asked: Request) -> Draft:
    """Not there yet."""
    raise UsageError(f"{asked.card.name}: no rehearsal writes clips yet.")
