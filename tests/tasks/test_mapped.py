"""Parts of mapped files are asked for whole, and nothing else is."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest

from suite.tasks.mapped import read_at_once


class Pages(mmap.mmap):
    """Pages that note what is asked for."""

    asked: tuple[int, int, int] | None = None

    def madvise(self, option: int, start: int = 0, length: int = 0) -> None:
        self.asked = option, start, length
        super().madvise(option, start, length)


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    file = tmp_path / "arrays.bin"
    file.write_bytes(np.arange(40_000, dtype=np.float32).tobytes())
    with file.open("rb") as held:
        return Pages(held.fileno(), 0, access=mmap.ACCESS_READ)


def test_the_pages_of_a_part_are_asked_for(pages: Pages) -> None:
    rows = np.ndarray((500, 50), np.float32, buffer=pages, offset=6400)
    part = rows[100:300]
    assert read_at_once(part) is part
    assert pages.asked is not None
    option, start, length = pages.asked
    begin, end = 6400 + 100 * 200, 6400 + 300 * 200
    assert option == mmap.MADV_WILLNEED and start % mmap.PAGESIZE == 0
    assert begin - mmap.PAGESIZE < start <= begin and start + length == end


def test_what_is_not_a_whole_part_of_a_file_is_left_as_it_is(pages: Pages) -> None:
    rows = np.ndarray((500, 50), np.float32, buffer=pages)
    for view in (rows[:, :10], rows[7:7], np.zeros((5, 5)), np.zeros((5, 5))[1:3]):
        assert read_at_once(view) is view
    assert pages.asked is None
