"""The table of what was survived, from the records of the tests.

``SURVIVAL_RECORDS=FOLDER pytest -m slow tests/trust`` writes the records, ``python -m tests.trust.survival FOLDER`` the
page ``docs/survival.md``. Rows of which there is no new record stay as they are on the page: what takes hours can be
tried in pieces.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "survival.md"

KINDS = {
    "train": "training with a checkpoint after every epoch: preparation, checkpoints, append",
    "compact": "compaction of a ledger of three runs",
    "page": "the page of a board, pages of its runs and methods, the index",
}
ON_RAY = {
    "ray board": "a board of six runs on two workers of Ray: appends of one worker",
    "ray sweep": "a sweep of six trials on two workers of Ray: appends of one worker",
}
MODES = {
    "once": "the call fails, others succeed",
    "full": "it and all later ones that add bytes fail: the disk is full",
    "kill": "the process is killed in the middle of it",
}
FAULT_COLUMNS = (
    "command", "fault", "calls", "tried", "went on at once", "one sentence", "killed", "lost", "repeated", "tracebacks"
)  # fmt: skip
TOP = """# What was survived

Written by the tests: do not edit. `SURVIVAL_RECORDS=FOLDER pytest -m slow tests/trust` tries all of it again,
`python -m tests.trust.survival FOLDER` writes the rows anew that were tried. A *call* is a change of a file: bytes
written, a file made, renamed, cut or removed.

"""

Row = tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """A table of the page: ``about`` it, its ``columns``, of which the first ``keys`` name a row, and those of text."""

    title: str
    about: str
    columns: tuple[str, ...]
    keys: int = 1
    text: int = 1

    def rows(self, page: str) -> dict[Row, Row]:
        """The rows that ``page`` has of it, by what names them."""
        of = page.partition(f"## {self.title}\n")[2].partition("\n## ")[0]
        lines = [line for line in of.splitlines() if line.startswith("| ")][1:]
        cells = [tuple(line[2:-2].split(" | ")) for line in lines]
        return {row[: self.keys]: row for row in cells}

    def written(self, rows: Iterable[Row], total: str = "") -> str:
        """The table."""
        lines = [f"## {self.title}", "", self.about, "", f"| {' | '.join(self.columns)} |"]
        last = ["---"] if not self.columns[-1] or len(self.columns) == 5 else ["---:"]
        numbers = ["---:"] * (len(self.columns) - self.text - 1)
        lines += [f"|{'|'.join(['---'] * self.text + numbers + last)}|", *(f"| {' | '.join(row)} |" for row in rows)]
        return "\n".join([*lines, *(["", total] if total else []), ""])


FAULTS = Part(
    "Faults at writes",
    "Each call was tried (`FAULT_STEP=1`), but where fewer are said to be: these lie at even steps. "
    "`tests/trust/test_faults_on_ray.py` tries a sample within workers of Ray (`RAY_FAULTS`). "
    "After each fault the same command was given again without one; its numbers, and its pages, had to be those "
    "without faults.",
    FAULT_COLUMNS,
    keys=2,
    text=2,
)
FLIPS = Part(
    "Flipped bits",
    "One bit of a file of an output folder changed, half of the times among the first 200 bytes, then everything read "
    "that depends on the file. *Equal*: the content was the same (a checksum that no longer says anything, a blank). "
    "*Found*: the command ends with a sentence that names the file, or the file is passed over and made again. "
    "Repair: `suite results repair` sets it aside. Pages are not read again by anything.",
    ("file", "flipped", "equal", "found", "other numbers", "repair"),
)
FILES = Part(
    "Files that are almost right",
    "Mutated by hypothesis: bits and bytes changed, cut, doubled, put in. None made a reader start a process "
    "(`os.system`, `subprocess`), none took more than 3 GiB, and each refusal was one sentence; the most frequent "
    "ones without names and numbers.",
    ("file", "tried", "read", "refused", "most often with"),
)
LOADS = Part(
    "Loads",
    "Seconds on two cores that others used at the same time; CPU is the process's own; GiB the most it ever held.",
    ("load", "seconds", "CPU seconds", "GiB", ""),
)


def records(file: Path) -> list[dict[str, Any]]:
    """The lines of a file of records; none where it is not there."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []


def fault_rows(found: Sequence[Mapping[str, Any]]) -> dict[Row, Row]:
    """Faults at the calls of commands, and what became of them; pieces of one command and fault are added up."""
    pieces: dict[Row, list[Mapping[str, Any]]] = {}
    for one in found:
        pieces.setdefault(((KINDS | ON_RAY)[one["kind"]], MODES[one["mode"]]), []).append(one)
    rows = {}
    for key, parts in pieces.items():
        counts = [sum(one[name] for one in parts) for name in ("tried", "went_on", "sentence", "killed")]
        bad = [sum(len(one[name]) for one in parts) for name in ("lost", "repeated", "tracebacks")]
        rows[key] = (*key, *map(str, [max(one["calls"] for one in parts), *counts, *bad]))
    return rows


def flip_rows(found: Sequence[Mapping[str, Any]]) -> dict[Row, Row]:
    """Files with a flipped bit, and how they were read."""
    rows = {}
    for one in found:
        told = one["told"]
        equal, seen, total = told.get("equal", 0), told.get("found", 0), sum(told.values())
        repair = "sets it aside" if one["repaired"] else "not needed"
        rows[(one["kind"],)] = (one["kind"], *map(str, [total, equal, seen, total - equal - seen]), repair)
    return rows


def file_rows(found: Sequence[Mapping[str, Any]]) -> dict[Row, Row]:
    """Mutated files, and how they were refused."""
    rows = {}
    for one in found:
        told = dict(one["told"])
        read, refused = told.pop("read", 0), sum(told.values())
        often = sorted(told, key=lambda name: -told[name])[:2]
        cells = [one["kind"], read + refused, read, refused, "; ".join(f"“{name} …”" for name in often)]
        rows[(one["kind"],)] = tuple(map(str, cells))
    return rows


def load_rows(found: Sequence[Mapping[str, Any]]) -> dict[Row, Row]:
    """Loads with their seconds and memory."""
    return {
        (one["what"],): (one["what"], f"{one['wall']:.0f}", f"{one['cpu']:.0f}", f"{one['gib']:.1f}", one["told"])
        for one in found
    }


def page(folder: Path, before: str = "") -> str:
    """The whole page; rows of ``before``, the page as it was, stay where no record of ``folder`` tells otherwise."""
    faults = FAULTS.rows(before) | fault_rows(records(folder / "faults.jsonl"))
    faults = {key: row for key, row in faults.items() if key[0] in (KINDS | ON_RAY).values()}
    flips = FLIPS.rows(before) | flip_rows(records(folder / "flips.jsonl"))
    flipped = sum(int(row[1]) for row in flips.values())
    silent = sum(int(row[4]) for row in flips.values())
    files = FILES.rows(before) | file_rows(records(folder / "fuzz.jsonl"))
    loads = LOADS.rows(before) | load_rows(records(folder / "loads.jsonl"))
    tried, bad = (sum(int(row[at]) for row in faults.values() for at in places) for places in ((3,), (7, 8, 9)))
    parts = [
        FAULTS.written(faults.values(), f"{tried} faults, {bad} runs lost or repeated or tracebacks."),
        FLIPS.written(flips.values(), f"{flipped:,} bits, {silent} other numbers without a word."),
        FILES.written(files.values(), f"{sum(int(row[1]) for row in files.values()):,} files, no traceback."),
        LOADS.written(loads.values()),
    ]
    return TOP + "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(Path(sys.argv[1]), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
