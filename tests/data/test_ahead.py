"""Files are read several at a time, in order; what is wrong with one is told where its turn comes."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from suite.data.storage import files
from suite.data.storage.ahead import READERS, each_ahead


def test_a_few_are_read_at_a_time_and_come_in_order() -> None:
    together, begun = threading.Barrier(READERS, timeout=20), []

    def read(item: int) -> int:
        begun.append(item)
        if item < READERS:
            together.wait()  # passed only where so many are read at once
        return item * item

    found = each_ahead(read, range(100))
    assert next(found) == 0
    assert len(begun) <= 2 * READERS + 1, "no further ahead"
    assert list(found) == [item * item for item in range(1, 100)]
    assert list(each_ahead(read, ())) == []


def test_an_error_comes_in_its_turn() -> None:
    found = each_ahead(lambda item: 12 // item, [3, 2, 0, 1])
    assert [next(found), next(found)] == [4, 6]
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_hashing_many_files_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [tmp_path / f"{number}.npy" for number in range(3)]
    for path in paths:
        path.write_bytes(bytes(2**20))
    monkeypatch.setattr(files, "SAY_EVERY", -1.0)
    monkeypatch.setattr(files, "GIB", 2**20)
    monkeypatch.setattr(logging.getLogger("suite"), "propagate", True)
    with caplog.at_level(logging.INFO, logger="suite"):
        files._hash_ahead(paths, tmp_path / "cache", "toy")
    # Each line once: where another test made the suite's log heard, it comes by two ways.
    said = list(dict.fromkeys(record.getMessage() for record in caplog.records))
    assert said == [f"toy: {done}.0 of 3.0 GiB read, once, to know its files by content" for done in (1, 2, 3)]
    assert len({files.sha256_of(path, tmp_path / "cache") for path in paths}) == 1
