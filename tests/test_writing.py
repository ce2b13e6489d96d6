"""A file is whole or as it was."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from suite.cli import _of_the_disk
from suite.writing import write_whole


def test_a_file_and_its_folder_are_made_and_replaced(tmp_path: Path) -> None:
    file = tmp_path / "new" / "page.html"
    for text in ("first ü", "second"):
        write_whole(file, text)
        assert file.read_text(encoding="utf-8") == text
    assert [one.name for one in file.parent.iterdir()] == ["page.html"]


def test_what_fails_in_the_middle_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "page.html"
    write_whole(file, "old")

    def torn(self: Path, content: bytes) -> None:
        with self.open("wb") as out:
            out.write(content[:2])
        raise OSError(errno.ENOSPC, "No space left on device")  # as a write fails: without a name

    monkeypatch.setattr(Path, "write_bytes", torn)
    with pytest.raises(OSError, match="No space left") as caught:
        write_whole(file, "new")
    assert _of_the_disk(caught.value).startswith(f"{file}: No space left on device; ")
    assert file.read_text(encoding="utf-8") == "old" and list(tmp_path.iterdir()) == [file]


def test_a_disk_that_takes_nothing_is_one_sentence_and_no_defect() -> None:
    said = _of_the_disk(OSError(errno.ENOSPC, "No space left on device", "/results/reports/runs"))
    assert said.startswith("/results/reports/runs: No space left on device; ")
    assert _of_the_disk(OSError(errno.ENOSPC, "No space left on device")).startswith("No space left on device; make")
    assert not _of_the_disk(FileNotFoundError(errno.ENOENT, "No such file", "x")) and not _of_the_disk(ValueError("x"))
