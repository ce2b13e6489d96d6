"""``suite status``: what is being worked on, seen from another shell or machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suite.cli.console import JsonOption, OutOption, emit_json, say

if TYPE_CHECKING:
    from suite.places import Places
    from suite.work.notes import Note

WATCH_EVERY = 3.0  # seconds
LISTED = 20  # runs of a command


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Again every few seconds, until Ctrl-C.")] = False,
    out: OutOption = "outputs",
    json: JsonOption = False,
) -> None:
    """Show every command that works on these outputs, on whatever machine: done, running with their epochs, time left.

    It reads notes beside the ledger, which commands write every few seconds, and counts the ledger's runs; it needs no
    Ray and no port.

    Examples: suite status; suite status --out s3://bucket/outputs --watch
    """
    from suite.places import Places

    places = Places(out)
    places.require_readable()
    while True:
        _tell(places, json)
        if not watch:
            return
        time.sleep(WATCH_EVERY)
        if not json:
            say("")


def _tell(places: Places, as_json: bool) -> None:
    from suite.work.notes import read_notes

    notes, counts = read_notes(places), _counts(places)
    if as_json:
        emit_json({"commands": [_plain(note) for note in notes], "ledger": counts})
        return
    for note in notes:
        _tell_one(note)
    if not notes:
        say("nothing is being worked on.")
    say("ledger: " + (", ".join(f"{count} {state}" for state, count in counts.items()) or "empty"))


def _tell_one(note: Note) -> None:
    from suite.telling import duration

    standing = note.standing
    where = f"{note.command} on {note.host}, process {note.process}"
    if note.silent:
        say(f"{standing.title}: not heard of for {duration(note.age)}, killed? It was {where}.")
        return
    say(f"{standing.headline()} ({where})")
    for one in sorted(standing.running, key=lambda one: -one.share)[:LISTED]:
        say(f"  {one.in_words()}")
    if len(standing.running) > LISTED:
        say(f"  and {len(standing.running) - LISTED} more")


def _counts(places: Places) -> dict[str, int]:
    """Runs in the ledger, by how they ended."""
    from collections import Counter

    from suite.results.ledger import Ledger

    return dict(Counter(Ledger(places.ledger).runs()["status"]))


def _plain(note: Note) -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(note), "silent": note.silent}


def register(app: typer.Typer) -> None:
    """Add ``suite status``."""
    app.command()(status)
