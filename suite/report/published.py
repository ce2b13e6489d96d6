"""The papers' printed numbers: read from ``reports/published``, each with the run of ours that it belongs to."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from suite.declarations import shipped
from suite.errors import DataError, UsageError, did_you_mean
from suite.spec.board import MetricKey

COLUMNS = (
    "paper", "table", "group", "row", "column", "method", "params", "dataset", "protocol", "metric", "threshold",
    "value", "print_only", "differs", "note",
)  # fmt: skip
SEVERAL = re.compile(r"(\w+)=([\w.-]+(?:\+[\w.-]+)+)")  # a dial with several values: split=1+2+3


@dataclass(frozen=True)
class Published:
    """One printed cell: where it stands in print, which run of ours it belongs to, and what it says.

    ``group``, ``row`` and ``column`` are the paper's words. ``params`` is what ``suite train`` would take after
    ``--set``, separated by spaces, ``preset`` among them. A dial of ``dataset`` with several values (``split=1+2+3``)
    is a mean over them. ``value`` is in percent as printed, None for a point that cannot be read off a figure (``text``
    has its digits).
    ``print_only`` says why no run belongs to the cell, ``differs`` what its run does otherwise than the print in a way
    that no parameter states.
    """

    paper: str
    table: str
    row: str
    method: str
    dataset: str
    protocol: str
    key: MetricKey
    value: float | None
    group: str = ""
    column: str = ""
    params: str = ""
    print_only: str = ""
    differs: str = ""
    note: str = ""
    text: str = ""

    @property
    def digits(self) -> str:
        """The number with the digits of print; empty where none can be read."""
        return self.text or ("" if self.value is None else f"{self.value:g}")

    @property
    def settings(self) -> dict[str, str]:
        """``params`` by name, as text; raises :class:`UsageError` for what is no ``name=value``."""
        pairs = [part.partition("=") for part in self.params.split()]
        wrong = next((name for name, equals, _ in pairs if not equals), None)
        if wrong is not None:
            raise UsageError(f"{self.paper}, {self.table}, {self.row}: '{wrong}' is not name=value.")
        return {name: value for name, _, value in pairs}

    @property
    def datasets(self) -> tuple[str, ...]:
        """The dataset, or those over which the cell is a mean."""
        several = SEVERAL.search(self.dataset)
        if several is None:
            return (self.dataset,)
        dial, values = several.groups()
        return tuple(self.dataset.replace(several[0], f"{dial}={value}") for value in values.split("+"))

    @property
    def why_not(self) -> str:
        """Why nothing here can run for this cell; empty where something can."""
        from suite.registry import published_only

        known = published_only().get(self.method)
        return self.print_only or (f"known by its published numbers only: {known['reason']}" if known else "")

    @property
    def place(self) -> str:
        """Where it is printed, for messages: paper, table, row and column."""
        return ", ".join(filter(None, (self.paper, self.table, self.group, self.row, self.column)))


def load_published(asked: Iterable[str], folder: Path | None = None) -> list[Published]:
    """The printed cells of ``paper`` or ``paper/table`` entries, points without a value included.

    Raises :class:`UsageError` for an unknown paper or table, :class:`DataError` for a malformed file.
    """
    folder = folder or shipped("reports") / "published"
    paths = {path.stem: path for path in folder.glob("*.csv")}
    found: list[Published] = []
    for entry in asked:
        paper, _, table = entry.partition("/")
        if paper not in paths:
            raise UsageError(f"there are no published numbers of '{paper}' in {folder}{did_you_mean(paper, paths)}")
        cells = _read(paths[paper])
        if table and table not in (tables := {cell.table for cell in cells}):
            raise UsageError(f"{paths[paper].name} holds no table '{table}'{did_you_mean(table, tables)}")
        found += [cell for cell in cells if not table or cell.table == table]
    return found


def _read(path: Path) -> list[Published]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = set(COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise DataError(f"{path} has no column '{min(missing)}'; it needs {', '.join(COLUMNS)}.")
        return [_cell(row, path, line) for line, row in enumerate(reader, start=2)]


def _cell(row: dict[str, str], path: Path, line: int) -> Published:
    try:
        value = float(row["value"]) if row["value"] else None
        threshold = float(row["threshold"]) if row["threshold"] else None
    except ValueError:
        raise DataError(f"{path}, line {line}: '{row['value']}' or '{row['threshold']}' is not a number.") from None
    plain = {name: row[name] for name in COLUMNS if name not in ("metric", "threshold", "value")}
    cell = Published(key=MetricKey(row["metric"], threshold), value=value, text=row["value"], **plain)
    return cell if cell.column else replace(cell, column=str(cell.key))
