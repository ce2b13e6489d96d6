"""Packs of people in clips."""

from __future__ import annotations

from suite.errors import UsageError
from suite.rehearsal.request import Draft, Request


def people(asked: Request) -> Draft:
    """Not there yet."""
    raise UsageError(f"{asked.card.name}: no rehearsal writes clips yet.")
