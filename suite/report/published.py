"""The papers' printed numbers beside ours, and what may be said of the difference."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from suite.data.storage.cards import shipped
from suite.errors import DataError, UsageError, did_you_mean
from suite.evaluate.significance import summarize
from suite.report.views import View, pick
from suite.spec.board import MetricKey
from suite.spec.card import parse_dataset_name

COLUMNS = ("paper", "table", "row", "method", "dataset", "protocol", "metric", "threshold", "value", "note")


@dataclass(frozen=True)
class Published:
    """One printed cell: ``value`` in percent as printed, ``row`` as the paper names it, ``method`` as we do."""

    paper: str
    table: str
    row: str
    method: str
    dataset: str
    protocol: str
    key: MetricKey
    value: float
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """A printed cell and ours: percent, points, and a verdict in the words of :func:`verdict`."""

    printed: Published
    label: str
    ours: float | None
    deviation: float | None
    verdict: str

    @property
    def difference(self) -> float | None:
        """Ours minus theirs, in points; None where the two may not be compared."""
        if self.ours is None or self.verdict in ("different protocol", "not comparable"):
            return None
        return self.ours - self.printed.value


def load_published(asked: Iterable[str], folder: Path | None = None) -> list[Published]:
    """The printed cells of ``paper`` or ``paper/table`` entries; raises :class:`UsageError` for an unknown paper."""
    folder = folder or shipped("reports") / "published"
    paths = {path.stem: path for path in folder.glob("*.csv")}
    found: list[Published] = []
    for entry in asked:
        paper, _, table = entry.partition("/")
        if paper not in paths:
            raise UsageError(f"there are no published numbers of '{paper}' in {folder}{did_you_mean(paper, paths)}")
        found += [cell for cell in _read(paths[paper]) if not table or cell.table == table]
    return found


def _read(path: Path) -> list[Published]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = set(COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise DataError(f"{path} has no column '{min(missing)}'; it needs {', '.join(COLUMNS)}.")
        return [_cell(row, path, line) for line, row in enumerate(reader, start=2) if row["value"]]


def _cell(row: dict[str, str], path: Path, line: int) -> Published:
    try:
        value = float(row["value"])
        threshold = float(row["threshold"]) if row["threshold"] else None
    except ValueError:
        raise DataError(f"{path}, line {line}: '{row['value']}' or '{row['threshold']}' is not a number.") from None
    plain = {name: row[name] for name in ("paper", "table", "row", "method", "dataset", "protocol", "note")}
    return Published(key=MetricKey(row["metric"], threshold), value=value, **plain)


def compare(view: View, found: pl.DataFrame, printed: Sequence[Published]) -> list[Comparison]:
    """Every printed cell of a method in ``view`` on the same dataset (dials apart), with ours and a verdict."""
    name = parse_dataset_name(view.dataset)[0]
    compared: list[Comparison] = []
    for row in view.rows:
        own = found.filter((pl.col("row") == row.label) & (pl.col("label") == ""))
        about = [c for c in printed if c.method == row.method and parse_dataset_name(c.dataset)[0] == name]
        compared.extend(_compare(view, row.label, own, cell) for cell in about)
    return compared


def _compare(view: View, label: str, own: pl.DataFrame, cell: Published) -> Comparison:
    values = [100 * value for value in pick(own, cell.key)]
    bare = Comparison(cell, label, None, None, "not comparable")
    if not values:
        return bare
    summary = summarize(values)
    spread = summary.deviation if math.isfinite(summary.deviation) else None
    mine = replace(bare, ours=summary.mean, deviation=spread)
    # Ours is shown without a verdict: generated data, or other dials than the paper's, measure something else.
    if view.kind == "planted" or cell.dataset != view.dataset:
        return mine
    if cell.protocol != view.spec.protocol:
        return replace(mine, verdict="different protocol")
    return replace(mine, verdict=verdict(values, cell.value))


def verdict(ours: Sequence[float], theirs: float, level: float = 0.95) -> str:
    """``within noise``, ``above`` or ``below``: does a printed number lie where one more of our seeds would fall?

    The printed number is taken as one run with our spread: the t prediction interval mean ± t·s·√(1 + 1/n). Fewer than
    two seeds say nothing of noise: ``not comparable``.
    """
    from scipy.stats import t

    summary = summarize(ours)
    if summary.count < 2:
        return "not comparable"
    reach = float(t.ppf(0.5 + level / 2, summary.count - 1)) * summary.deviation * (1 + 1 / summary.count) ** 0.5
    reach = max(reach, 0.05)  # papers print one decimal
    if abs(summary.mean - theirs) <= reach:
        return "within noise"
    return "above" if summary.mean > theirs else "below"
