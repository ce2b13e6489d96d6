"""What was measured, written after every measurement: a stop at any moment leaves all that came before."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from suite.writing import write_whole


@dataclass
class Row:
    """``value`` of ``measure`` (with its unit) for ``item``, and what it must not exceed (``bound``), if anything."""

    part: str
    item: str
    measure: str
    value: float | str
    bound: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the bound holds; None without one."""
        return None if self.bound is None else isinstance(self.value, float | int) and self.value <= self.bound


@dataclass
class Report:
    """The rows so far, facts of the machine, parts left out with the reason, and a deadline."""

    path: Path
    seconds: float
    facts: dict[str, Any]
    rows: list[Row] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.seconds - (time.monotonic() - self.began)

    def add(self, part: str, item: str, measure: str, value: float | str, bound: float | None = None) -> None:
        """Record and print a measurement."""
        row = Row(part, item, measure, value, bound)
        self.rows.append(row)
        print(as_line(row), flush=True)
        self.write()

    def skip(self, item: str, reason: str) -> None:
        """Record that something was not measured."""
        self.skipped[item] = reason
        print(f"{item}: skipped, {reason}", flush=True)
        self.write()

    def part(self, name: str, work: Callable[[], object]) -> None:
        """Measure a part: what is missing or fails there leaves the other parts alone."""
        if self.left <= 0:
            self.skip(name, "the time is used up")
            return
        try:
            work()
        except ImportError as error:
            self.skip(name, f"needs a library that is missing ({error})")
        except Exception as error:  # one part's failure is a finding, and the others are still to be measured
            self.add(name, "failure", type(error).__name__, str(error).splitlines()[0] if str(error) else "", 0.0)

    @property
    def failures(self) -> list[Row]:
        """Rows whose bound does not hold."""
        return [row for row in self.rows if row.holds is False]

    def write(self) -> None:
        """Write the report as JSON."""
        content = {
            "facts": self.facts,
            "seconds": round(time.monotonic() - self.began, 1),
            "failures": len(self.failures),
            "rows": [asdict(row) | {"holds": row.holds} for row in self.rows],
            "skipped": self.skipped,
        }
        write_whole(self.path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def as_line(row: Row) -> str:
    """A row as a line of the table."""
    value = f"{row.value:.4g}" if isinstance(row.value, float | int) else row.value
    mark = "" if row.bound is None else f"  (at most {row.bound:g})" if row.holds else f"  EXCEEDS {row.bound:g}"
    return f"{row.part:12s} {row.item:44s} {row.measure:34s} {value}{mark}"
