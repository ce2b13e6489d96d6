"""What was read of sources is kept between processes, and is never older than the sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.identity.reading import MOST, Read, Sources


class Reader:
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, text: str, package: str) -> Read:
        self.asked.append(text)
        return f"digest of {text}", ("os", package)


def test_a_source_is_read_once_for_all_processes(tmp_path: Path):
    first, second, file = Reader(), Reader(), tmp_path / "cache" / "sources.json"
    here = Sources(file)
    found = here.read(b"x = 1\n", "suite", first)
    assert here.read(b"x = 1\n", "suite", first) == found and len(first.asked) == 1
    here.keep()
    there = Sources(file)
    assert there.read(b"x = 1\n", "suite", second) == found and not second.asked
    there.read(b"x = 2\n", "suite", second)  # changed
    there.read(b"x = 1\n", "methods", second)  # relative imports start elsewhere
    assert second.asked == ["x = 2\n", "x = 1\n"]


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"a": 1}', '{"a": [1, 2, 3]}', "\0"])
def test_a_damaged_file_costs_time_alone(content: str, tmp_path: Path):
    file, reader = tmp_path / "sources.json", Reader()
    file.write_text(content)
    held = Sources(file)
    assert held.read(b"x = 1\n", "", reader)[0] == "digest of x = 1\n" and reader.asked
    held.keep()
    assert Sources(file).read(b"x = 1\n", "", Reader())[0] == "digest of x = 1\n"


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path):
    (tmp_path / "file").write_text("")
    held = Sources(tmp_path / "file" / "sources.json")
    held.read(b"x = 1\n", "", Reader())
    held.keep()


def test_the_file_stays_small(tmp_path: Path):
    file = tmp_path / "sources.json"
    held = Sources(file)
    for number in range(MOST):
        held.read(b"x = %d\n" % number, "", Reader())
    held.keep()
    later = Sources(file)
    assert len(later.held) == MOST
    later.read(b"new\n", "", Reader())
    later.keep()
    assert len(Sources(file).held) == 1  # those that this process used
