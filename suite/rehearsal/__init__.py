"""Rehearsal packs: the files of a real dataset in their published layout, with generated features."""

from __future__ import annotations

from suite.rehearsal.pack import bytes_in, draft, no_room, rehearse, room
from suite.rehearsal.request import Draft, Request, request

__all__ = ["Draft", "Request", "bytes_in", "draft", "no_room", "rehearse", "request", "room"]
