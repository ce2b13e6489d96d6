"""Files with a checksum of themselves inside: what a disk changed later is found when they are read.

A file without one, which an earlier suite wrote, counts as whole. Ledger tables have their checksums beside them
(:mod:`suite.results.checksums`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KEY, MARK = "check", "checked"  # in a JSON object: its checksum, and that it has one
BLANK = "0" * 64  # in the header of a file of tensors, until it is sealed
TENSORS = "sha256"

_MARK = re.compile(rb'"sha256":"([0-9a-f]{64})"')
_BLOCK = 2**20  # bytes that are read at once
_LENGTH = 8  # bytes before the header of a safetensors file, which say how long it is


def with_check(value: Mapping[str, Any]) -> dict[str, Any]:
    """``value``, which has to be JSON, with the SHA-256 of its content under one more key, and a key that says so."""
    return {**value, MARK: True, KEY: _digest(value)}


def checked(value: Any) -> dict[str, Any]:
    """What :func:`with_check` was given, of what was read; raises :class:`ValueError` where it is something else."""
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    inside = {name: one for name, one in value.items() if name not in (KEY, MARK)}
    # Two keys, since one whose name a disk changed would make the file one without a checksum.
    if (KEY in value or MARK in value) and value.get(KEY) != _digest(inside):
        raise ValueError("its checksum is another: the file was changed later")
    return inside


def _digest(value: Mapping[str, Any]) -> str:
    # As it will be read: keys become text, tuples lists.
    text = json.dumps(json.loads(json.dumps(value)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def seal(file: Path) -> None:
    """Put the SHA-256 of a safetensors file, taken with ``BLANK``, in place of the ``BLANK`` in its metadata."""
    found = _seal(file)
    if found is None or found[0] != BLANK.encode():
        raise ValueError(f"{file} has no place for a checksum")
    _, place, digest = found
    with file.open("r+b") as out:
        out.seek(place)
        out.write(digest.encode())


def sealed(file: Path) -> bool | None:
    """Whether a safetensors file is as it was sealed; None where it has no checksum. Raises :class:`OSError`."""
    found = _seal(file)
    return None if found is None else found[0] == found[2].encode()


def _seal(file: Path) -> tuple[bytes, int, str] | None:
    """What stands in the place of the checksum, where that is, and the SHA-256 of the file with ``BLANK`` there."""
    size = file.stat().st_size
    if size < _LENGTH:
        return None
    # Read and not mapped: the pages of a mapped file count as memory of the process, gigabytes for large scores.
    with file.open("rb") as held:
        start = held.read(_LENGTH)
        start += held.read(min(size, int.from_bytes(start, "little")))
        mark = _MARK.search(start)
        if mark is None:
            return None
        digest = hashlib.sha256(start[: mark.start(1)])
        digest.update(BLANK.encode())
        digest.update(start[mark.end(1) :])
        while block := held.read(_BLOCK):
            digest.update(block)
        return mark[1], mark.start(1), digest.hexdigest()
