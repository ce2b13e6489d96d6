"""The page over all pages: boards, sweeps, claims, and the runs of the ledger.

Each page leaves a small file beside it that says what it is; the index is made from these files and the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from suite.errors import SuiteError
from suite.report import page
from suite.report.numbers import headlines
from suite.report.rows import run_pages, script_json
from suite.report.run_page import FOLDER
from suite.results.ledger import Ledger
from suite.sealing import checked, with_check
from suite.writing import write_whole

SUFFIX = ".about.json"
KINDS = ("leaderboard", "claims", "sweep", "comparison", "method")


@dataclass(frozen=True)
class About:
    """What the index says of a page: its kind, title, when it was made, a line of counts, and what it found."""

    kind: str
    title: str
    made: str
    counts: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class IndexContent:
    """Everything the index says; ``pages``: kind to address and description, the newest first."""

    pages: dict[str, list[tuple[str, About]]]
    runs: str
    count: int
    made: datetime


def leave(file: Path, about: About) -> None:
    """Describe the page ``file`` for the index."""
    write_whole(file.with_suffix(SUFFIX), json.dumps(with_check(asdict(about)), ensure_ascii=False))


def refresh(reports: Path, ledger: Ledger) -> Path:
    """Write ``index.html`` in the folder of reports from the pages there and the ledger; returns the file.

    Raises :class:`SuiteError` when it cannot be written.
    """
    rows = _run_rows(ledger, reports)
    content = IndexContent(_pages(reports), script_json(rows), len(rows), datetime.now().astimezone())
    try:
        text = page.render("index.html.j2", content, kinds=KINDS)
        write_whole(reports / "index.html", text)
    except OSError as error:
        raise SuiteError(f"cannot write the index of pages to {reports}: {error.strerror}.") from error
    return reports / "index.html"


def _pages(reports: Path) -> dict[str, list[tuple[str, About]]]:
    found: dict[str, list[tuple[str, About]]] = {kind: [] for kind in KINDS}
    for file in sorted(reports.rglob(f"*{SUFFIX}")):
        target = file.with_name(file.name.removesuffix(SUFFIX) + ".html")
        about = _read(file)
        if about is not None and target.is_file():
            found.setdefault(about.kind, []).append((target.relative_to(reports).as_posix(), about))
    return {kind: sorted(some, key=lambda one: one[1].made, reverse=True) for kind, some in found.items()}


def _read(file: Path) -> About | None:
    """A description, or None for a file that is none (another version's, half written)."""
    try:
        known = checked(json.loads(file.read_text(encoding="utf-8")))
        return About(**{**known, "lines": tuple(known.get("lines", ()))})
    except (OSError, ValueError, TypeError):
        return None


def _run_rows(ledger: Ledger, reports: Path) -> list[list[Any]]:
    """One row per run, the newest first, in the order of the page's columns."""
    runs = ledger.runs()
    if runs.is_empty():
        return []
    scored = runs.join(headlines(ledger, runs), on="run", how="left", maintain_order="left")
    pages = run_pages(scored["run"].to_list(), reports / FOLDER, f"{FOLDER}/")
    return [
        [
            row["run"],
            row["title"] or row["method"],
            row["dataset"],
            row["protocol"],
            row["seed"],
            row["status"],
            None if row["value"] is None else round(100 * row["value"], 1),
            None if row["seconds"] is None else round(row["seconds"], 1),
            row["started"].strftime("%Y-%m-%d %H:%M"),
            pages.get(row["run"], ""),
        ]
        for row in scored.reverse().iter_rows(named=True)
    ]


def counts(parts: Sequence[tuple[int, str]]) -> str:
    """``12 runs, 3 failed``: the parts that are not zero."""
    return ", ".join(f"{number} {word}" for number, word in parts if number)
