"""Hashes are computed once a version of a file, in this process and in those that come after."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from suite.data.storage import files
from suite.data.storage.files import sha256_of
from suite.sealing import checked, with_check


def notes(cache: Path) -> list[Path]:
    return list((cache / "hashes").glob("*.json"))


def test_a_hash_follows_the_file(tmp_path: Path) -> None:
    path, cache = tmp_path / "a.bin", tmp_path / "cache"
    for place, content in enumerate((b"one", b"two", b"longer")):
        path.write_bytes(content)
        os.utime(path, ns=(place, place))
        assert sha256_of(path, cache) == hashlib.sha256(content).hexdigest()
    assert len(notes(cache)) == 1


def test_a_hash_is_remembered_across_processes(tmp_path: Path) -> None:
    path, cache = tmp_path / "a.bin", tmp_path / "cache"
    path.write_bytes(b"one")
    sha256_of(path, cache)
    files.KNOWN.clear()  # as a new process would start
    (note,) = notes(cache)
    note.write_text(json.dumps(with_check(checked(json.loads(note.read_text())) | {"sha256": "remembered"})))
    assert sha256_of(path, cache) == "remembered"


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}"])
def test_a_damaged_note_is_not_believed(tmp_path: Path, damage: str) -> None:
    path, cache = tmp_path / "a.bin", tmp_path / "cache"
    path.write_bytes(b"one")
    first = sha256_of(path, cache)
    files.KNOWN.clear()
    (note,) = notes(cache)
    note.write_text(damage)
    assert sha256_of(path, cache) == first
    assert json.loads(note.read_text())["sha256"] == first


def test_a_cache_that_cannot_be_written_costs_no_answer(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"one")
    (tmp_path / "file").write_text("")
    assert sha256_of(tmp_path / "a.bin", tmp_path / "file") == hashlib.sha256(b"one").hexdigest()
