"""The page of what was survived says so of everything that the tests try."""

from __future__ import annotations

import json
from pathlib import Path

from tests.trust.flips import KINDS as FLIPPED
from tests.trust.fuzz import KINDS
from tests.trust.loads import LOADS
from tests.trust.survival import KINDS as COMMANDS
from tests.trust.survival import PAGE, page


def test_the_page_names_every_command_file_and_load_and_nothing_lost() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(what in text for what in COMMANDS.values()) and all(f"| {kind.name} |" in text for kind in KINDS)
    assert all(" ".join((load.__doc__ or "").split()).rstrip(".") in text for load in LOADS.values())
    assert all(f"| {kind.name} |" in text for kind in FLIPPED)
    assert "bits, 0 other numbers without a word." in text
    assert " faults, 0 runs lost or repeated or tracebacks." in text and " files, no traceback." in text


def test_what_was_lost_is_counted(tmp_path: Path) -> None:
    record = {"kind": "page", "mode": "kill", "calls": 9, "tried": 3, "went_on": 0, "sentence": 0, "killed": 3,
              "lost": ["4: x"], "repeated": [], "tracebacks": ["5: y"]}  # fmt: skip
    (tmp_path / "faults.jsonl").write_text(json.dumps(record) + "\n")
    (tmp_path / "fuzz.jsonl").write_text(json.dumps({"kind": "K", "told": {"read": 1, "no such thing": 2}}) + "\n")
    text = page(tmp_path)
    assert "3 faults, 2 runs lost" in text and "| K | 3 | 1 | 2 | “no such thing …” |" in text


def test_rows_that_were_not_tried_again_stay_and_pieces_add_up(tmp_path: Path) -> None:
    before = PAGE.read_text(encoding="utf-8")
    assert page(tmp_path, before) == before
    piece = {"kind": "compact", "mode": "kill", "calls": 9, "tried": 4, "went_on": 0, "sentence": 0, "killed": 4,
             "lost": [], "repeated": [], "tracebacks": []}  # fmt: skip
    (tmp_path / "faults.jsonl").write_text(2 * (json.dumps(piece) + "\n"))
    text = page(tmp_path, before)
    changed = [line for line in text.splitlines() if line not in before.splitlines()]
    assert [line.count(" | 9 | 8 | 0 | 0 | 8 | 0 | 0 | 0 |") for line in changed if line.startswith("|")] == [1]
