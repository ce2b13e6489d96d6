"""What a table shows: rows of cells with their reasons, independent of how they are drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import polars as pl

from suite.evaluate.significance import SeedSummary, summarize
from suite.report import given
from suite.report.numbers import HONEST, ORACLE, Numbers, pick
from suite.report.spread import common_spread, marks
from suite.results.given import SELECTION
from suite.spec.board import MetricKey, TableSpec
from suite.tasks import Task

TAKEN = "from "  # begins the group of runs that came from another ledger (suite.merge)
ALPHA = 0.05


@dataclass(frozen=True)
class Cell:
    """One number over seeds, or the reason why there is none.

    ``best`` among the methods that are no ceilings; ``near``: Tukey's test over the column's seeds
    does not distinguish it from the best.
    """

    values: tuple[float, ...] = ()
    why: str = ""
    best: bool = False
    near: bool = False

    @cached_property
    def summary(self) -> SeedSummary:
        """Mean, standard deviation and interval."""
        return summarize(self.values)


@dataclass(frozen=True)
class Row:
    """One method on one dataset: a cell per column, the leak, and how many of its seeds are there.

    ``reported`` is the selection of epochs to which the numbers of the recipe's authors belong; ``marks`` counts the
    runs whose numbers are something else than a result of the method (:mod:`suite.results.marks`), for every mark that
    its runs could earn; ``by_seed`` is the headline of each seed. ``people``: no method, but the annotators of the
    dataset, one value each in place of the seeds'. ``seconds``: the median duration of its runs, ``memory``: that of
    the GiB they held at most. ``leak``: what the headline would gain by epochs chosen on test data, paired by seed.
    ``badges`` say whose runs it shows, if not ours.
    ``files``: no method run here, but predictions from files, by seed and run; ``unlike`` says why they do not compete.
    """

    label: str
    method: str
    ceiling: bool
    cells: tuple[Cell, ...]
    leak: SeedSummary | None
    finished: int
    asked: int
    errors: tuple[str, ...] = ()
    reported: str = HONEST
    marks: tuple[tuple[str, int], ...] = ()
    by_seed: tuple[tuple[int, float], ...] = ()
    people: bool = False
    seconds: float | None = None
    memory: float | None = None
    badges: tuple[str, ...] = ()
    files: tuple[tuple[int, str], ...] = ()
    unlike: str = ""

    @property
    def competes(self) -> bool:
        """Whether it is a method that sees what methods may see."""
        return not (self.ceiling or self.people or self.unlike)

    @property
    def state(self) -> str:
        """Seeds that count, and failures: ``2 of 3, 1 failed``."""
        if self.people:
            return f"{self.finished} annotators"
        if self.files:
            return f"{self.finished} file{'s' if self.finished > 1 else ''}"
        short = f"{self.finished}" if self.finished == self.asked else f"{self.finished} of {self.asked}"
        return f"{short}, {len(self.errors)} failed" if self.errors else short

    def marked(self, mark: str) -> str:
        """How many of the runs carry ``mark``: ``2 of 3``; empty where they do not log what decides it."""
        counts = dict(self.marks)
        return f"{counts[mark]} of {self.finished}" if mark in counts else ""


@dataclass(frozen=True)
class View:
    """One table on one dataset. ``detectable``: the smallest difference of the headline that these seeds can find.
    ``open``: methods that may be as good as the best by it, with their distance and how many seeds would settle it (0:
    more than 1,000).

    ``oracles`` are metrics that look at the labels they are scored on, ``explained`` says what some metrics are.
    """

    index: int
    spec: TableSpec
    dataset: str
    kind: str
    task: str
    headline: MetricKey
    columns: tuple[MetricKey, ...]
    rows: tuple[Row, ...] = ()
    detectable: float = float("nan")
    errors: tuple[tuple[str, str], ...] = field(default=())
    oracles: tuple[str, ...] = ()
    explained: Mapping[str, str] = field(default_factory=dict)
    open: tuple[tuple[str, float, int], ...] = ()

    @property
    def name(self) -> str:
        """A name for files, anchors and style sheets, where a dot would begin a class."""
        plain = "".join(c if (c.isascii() and c.isalnum()) or c == "-" else "_" for c in self.dataset)
        return f"{self.index + 1}-{plain}".rstrip("_")

    @property
    def methods(self) -> list[Row]:
        """Rows that compete."""
        return [row for row in self.rows if row.competes]

    @property
    def marks(self) -> list[str]:
        """The marks that runs of some row could earn."""
        return list(dict.fromkeys(mark for row in self.rows for mark, _ in row.marks))

    @property
    def twins(self) -> list[tuple[str, ...]]:
        """Labels of rows whose numbers are all the same, where there are such: their difference did nothing here."""
        groups: dict[tuple[tuple[float, ...], ...], list[str]] = {}
        for row in self.rows:
            if row.people or row.files:
                continue
            groups.setdefault(tuple(cell.values for cell in row.cells), []).append(row.label)
        return [tuple(labels) for values, labels in groups.items() if len(labels) > 1 and any(values)]

    @property
    def weighed(self) -> bool:
        """Whether it is known of some row how much memory its runs took."""
        return any(row.memory is not None for row in self.rows)

    @property
    def grouped(self) -> bool:
        """Whether there are rows beside methods: those that look at hidden truth, and people."""
        return not all(row.competes for row in self.rows)

    @property
    def ceilings(self) -> list[Row]:
        """Rows that look at hidden truth."""
        return [row for row in self.rows if row.ceiling]

    @property
    def people(self) -> list[Row]:
        """The row of the dataset's annotators, if there is one."""
        return [row for row in self.rows if row.people]


def make_view(
    index: int,
    spec: TableSpec,
    dataset: str,
    task: Task,
    asked: pl.DataFrame,
    found: pl.DataFrame,
    files: pl.DataFrame | None = None,
) -> View:
    """The view of one dataset in one table; ``asked`` and ``found`` are its rows of the aggregated frames.

    ``files`` (:func:`suite.report.given.files`): those of this dataset and protocol become rows, too.
    """
    key = MetricKey(task.headline)
    columns = tuple(spec.columns) or all_columns(found, key)
    numbers = found.filter(pl.col("label") == "").partition_by("row", as_dict=True)
    rows = [
        _row(str(label), own, numbers.get((label,), found.clear()), columns, key)
        for (label,), own in asked.partition_by("row", as_dict=True, maintain_order=True).items()
    ]
    rows += _of_files(files, spec, dataset, asked, columns) if files is not None else []
    rows = _marked(rows, [place for place, column in enumerate(columns) if column.metric not in task.oracle_metrics])
    order = columns.index(key) if key in columns else 0
    rows.sort(
        key=lambda row: (bool(row.unlike), row.ceiling, -np.nan_to_num(row.cells[order].summary.mean, nan=-np.inf))
    )
    errors = tuple((row.label, error) for row in rows for error in row.errors)
    kind, oracles = asked["kind"][0], tuple(task.oracle_metrics)
    view = View(
        index, spec, dataset, kind, task.name, key, columns, tuple(rows), float("nan"), errors, oracles, task.explained
    )
    return replace(view, detectable=_detectable(view.methods, order), open=_open(view.methods, order))


def with_people(view: View, people: pl.DataFrame) -> View:
    """``view`` with a last row for the annotators of its dataset, of whom ``people`` holds the numbers, if any."""
    if people.is_empty():
        return view
    persons = people["person"].unique(maintain_order=True).to_list()
    named = people.with_columns(selection=pl.lit(HONEST), seed=pl.col("person"))
    why = "not measured of annotators"
    cells = tuple(Cell(pick(named, key), why) for key in view.columns)
    row = Row("Annotators", "", False, cells, None, len(persons), len(persons), people=True)
    return replace(view, rows=(*view.rows, row))


def all_columns(found: pl.DataFrame, headline: MetricKey) -> tuple[MetricKey, ...]:
    """Every metric there is that is no class's own, the headline first."""
    pairs = found.filter(pl.col("label") == "").select("metric", "threshold").unique(maintain_order=True).iter_rows()
    keys = [MetricKey(metric, threshold) for metric, threshold in pairs]
    return (headline, *(key for key in keys if key != headline))


def _row(
    label: str, asked: pl.DataFrame, found: pl.DataFrame, columns: Sequence[MetricKey], headline: MetricKey
) -> Row:
    own = Numbers(found)
    finished = asked.filter(pl.col("status") == "finished")
    errors = tuple(asked.filter(pl.col("status") == "failed")["error"])
    values = [own.pick(key) for key in columns]
    why = "" if all(values) else _why(asked)
    return Row(
        label=label,
        method=asked["method"][0],
        ceiling=asked["ceiling"][0],
        cells=tuple(Cell(numbers, why) for numbers in values),
        leak=_leak(own, headline),
        finished=len(finished),
        asked=len(asked),
        errors=errors,
        reported=asked["reported"][0],
        marks=_marks_of(finished),
        by_seed=own.by_seed(headline),
        seconds=_median(finished["seconds"]),
        memory=_median(finished["memory"]),
        badges=_badges(finished),
    )


def _of_files(
    files: pl.DataFrame, spec: TableSpec, dataset: str, asked: pl.DataFrame, columns: Sequence[MetricKey]
) -> list[Row]:
    """A row for each label among the files of this dataset and protocol that has a number for one of ``columns``."""
    here = files.filter((pl.col("dataset") == dataset) & (pl.col("protocol") == spec.protocol))
    prints = set(asked["fingerprint"].drop_nulls()) - {""}
    rows = []
    for (label,), own in here.partition_by("title", as_dict=True, maintain_order=True).items():
        cells = tuple(Cell(pick(own, key, SELECTION), "not measured of this file") for key in columns)
        if not any(cell.values for cell in cells):
            continue
        runs = tuple(own.select("seed", "run").unique().sort("seed").iter_rows())
        seeds = Numbers(own).by_seed(columns[0], SELECTION)
        other = given.unlike(own, asked["task"][0], prints)
        badges = (*own["group"].unique(maintain_order=True), *([other] if other else []))
        row = Row(f"{label} (file)", "", False, cells, None, len(runs), len(runs), by_seed=seeds, badges=badges)
        rows.append(replace(row, files=runs, unlike=other))
    return rows


def _badges(finished: pl.DataFrame) -> tuple[str, ...]:
    """Whose the runs are that were taken over: ``from X``, or ``from X: 2 of 3`` where others are ours."""
    counts = Counter(group for group in finished["group"] if group and group.startswith(TAKEN))
    return tuple(
        group if count == len(finished) else f"{group}: {count} of {len(finished)}"
        for group, count in sorted(counts.items())
    )


def _marks_of(finished: pl.DataFrame) -> tuple[tuple[str, int], ...]:
    """How many runs carry each mark that some of them could earn."""
    counts = Counter(mark for marks in finished["marks"] for mark in marks)
    return tuple((mark, counts[mark]) for mark in sorted({mark for marks in finished["watched"] for mark in marks}))


def _median(seconds: pl.Series) -> float | None:
    known = seconds.drop_nulls()
    return float(np.median(known)) if len(known) else None


def _why(asked: pl.DataFrame) -> str:
    """Why a cell without values is empty."""
    blocked = asked.filter(pl.col("blocked") != "")
    failed = asked.filter(pl.col("status") == "failed")
    if len(blocked):
        return str(blocked["blocked"][0])
    if len(failed):
        return f"failed: {failed['error'][0]}"
    if (asked["status"] == "finished").any():
        return "not measured by this task on this dataset"
    return "not run yet"


def _leak(own: Numbers, headline: MetricKey) -> SeedSummary | None:
    """What choosing the epoch on test data would have added to the headline, with its interval over seeds."""
    honest, oracle = own.by_seed(headline), own.by_seed(headline, ORACLE)
    # Means over different seeds would differ by the seeds as well.
    if not honest or [seed for seed, _ in honest] != [seed for seed, _ in oracle]:
        return None
    return summarize([after - before for (_, before), (_, after) in zip(honest, oracle, strict=True)])


def _marked(rows: list[Row], columns: Iterable[int]) -> list[Row]:
    """The best cell of each of ``columns`` marked, and those that cannot be distinguished from it."""
    for column in columns:
        cells = [row.cells[column] if row.competes else None for row in rows]
        values = [cell.values if cell else () for cell in cells]
        seeds = max((row.asked for row in rows if not row.files), default=0)
        for row, (best, near) in enumerate(marks(values, seeds, [bool(row.files) for row in rows])):
            changed = replace(rows[row].cells[column], best=best, near=near)
            rows[row] = replace(rows[row], cells=(*rows[row].cells[:column], changed, *rows[row].cells[column + 1 :]))
    return rows


def _detectable(rows: Sequence[Row], column: int) -> float:
    own = [row for row in rows if not row.files and len(row.cells[column].values) > 1]
    if not own:
        return float("nan")
    values = [row.cells[column].values for row in own]
    # By the method with the fewest seeds: what is promised must hold for every pair of rows.
    pairs = max(1, len(values) * (len(values) - 1) // 2)
    return common_spread(values, own[0].asked).detectable(min(map(len, values)), comparisons=pairs)


def _open(rows: Sequence[Row], column: int) -> tuple[tuple[str, float, int], ...]:
    """What may be as good as the best of a column, the farthest first: label, distance, seeds that would settle it."""
    best = next((row for row in rows if row.cells[column].best), None)
    near = [row for row in rows if row.cells[column].near and not row.files]
    if best is None or best.files or not near:  # files have no more seeds to run
        return ()
    values = [row.cells[column].values for row in rows if row.cells[column].values and not row.files]
    spread, seeds = common_spread(values, best.asked), max(map(len, values))
    gaps = [(row.label, best.cells[column].summary.mean - row.cells[column].summary.mean) for row in near]
    settled = [(label, gap, spread.settling(gap, seeds, len(values))) for label, gap in gaps]
    return tuple(sorted(settled, key=lambda one: -one[1]))
