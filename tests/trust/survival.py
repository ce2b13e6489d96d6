"""The table of what was survived, from the records of the tests.

``SURVIVAL_RECORDS=FOLDER pytest -m slow tests/trust`` writes the records, ``python -m tests.trust.survival FOLDER`` the
page ``docs/survival.md``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "survival.md"

KINDS = {
    "train": "training with a checkpoint after every epoch: preparation, checkpoints, append",
    "compact": "compaction of a ledger of three runs",
    "page": "the page of a board",
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
`python -m tests.trust.survival FOLDER` writes this page. A *call* is a change of a file: bytes written, a file made,
renamed, cut or removed.

"""


def records(file: Path) -> list[dict[str, Any]]:
    """The lines of a file of records; none where it is not there."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []


def faults(found: Sequence[Mapping[str, Any]]) -> str:
    """Faults at the calls of commands, and what became of them."""
    lines = [
        "## Faults at writes",
        "",
        "Calls were tried at even steps (`FAULT_STEP=1` tries each). After each fault the same command was given again "
        "without one; its numbers had to be those without faults.",
        "",
        f"| {' | '.join(FAULT_COLUMNS)} |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in found:
        counts = [one["calls"], one["tried"], one["went_on"], one["sentence"], one["killed"]]
        bad = [len(one[name]) for name in ("lost", "repeated", "tracebacks")]
        cells = [KINDS[one["kind"]], MODES[one["mode"]], *map(str, counts + bad)]
        lines.append(f"| {' | '.join(cells)} |")
    tried = sum(one["tried"] for one in found)
    bad = sum(len(one[name]) for one in found for name in ("lost", "repeated", "tracebacks"))
    return "\n".join([*lines, "", f"{tried} faults, {bad} runs lost or repeated or tracebacks.", ""])


def files(found: Sequence[Mapping[str, Any]]) -> str:
    """Mutated files, and how they were refused."""
    lines = [
        "## Files that are almost right",
        "",
        "Mutated by hypothesis: bits and bytes changed, cut, doubled, put in. None made a reader start a process "
        "(`os.system`, `subprocess`), none took more than 3 GiB, and each refusal was one sentence; the most frequent "
        "ones without names and numbers.",
        "",
        "| file | tried | read | refused | most often with |",
        "|---|---:|---:|---:|---|",
    ]
    for one in found:
        told = dict(one["told"])
        read, refused = told.pop("read", 0), sum(told.values())
        often = sorted(told, key=lambda name: -told[name])[:2]
        cells = [one["kind"], read + refused, read, refused, "; ".join(f"“{name} …”" for name in often)]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    tried = sum(sum(one["told"].values()) for one in found)
    return "\n".join([*lines, "", f"{tried:,} files, no traceback.", ""])


def loads(found: Sequence[Mapping[str, Any]]) -> str:
    """Loads with their seconds and memory."""
    lines = [
        "## Loads",
        "",
        "Seconds on two cores that others used at the same time; CPU is the process's own; GiB the most it ever held.",
        "",
        "| load | seconds | CPU seconds | GiB | |",
        "|---|---:|---:|---:|---|",
    ]
    lines += [
        f"| {one['what']} | {one['wall']:.0f} | {one['cpu']:.0f} | {one['gib']:.1f} | {one['told']} |" for one in found
    ]
    return "\n".join([*lines, ""])


def page(folder: Path) -> str:
    """The whole page."""
    parts = [
        part(records(folder / name))
        for name, part in (("faults.jsonl", faults), ("fuzz.jsonl", files), ("loads.jsonl", loads))
    ]
    return TOP + "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(Path(sys.argv[1])), encoding="utf-8")
