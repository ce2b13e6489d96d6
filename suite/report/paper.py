"""A table of a paper, in its own rows, columns and order, filled with our runs: ours, printed, difference, verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from suite.data import find_card
from suite.report.comparison import ORIGINS, OTHER, Comparison, comparison
from suite.report.matching import Key, Wanted, command, key_of, wanted
from suite.report.numbers import pick
from suite.report.published import Published, load_published
from suite.results.marks import UNLABELLED
from suite.spec.board import BoardRun, LeaderboardSpec, MetricKey, PrintedTable
from suite.spec.card import GENERATED

NOT_RUN = "not run"
FEW = 6  # rows that a note names
NEAR = 2  # columns of a row that a note names


@dataclass(frozen=True)
class PaperRow:
    """One printed row: a comparison for each column that print fills, the reason and the commands where nothing ran.

    ``state`` counts the runs that are there, of those asked for; ``commands`` make the others, one each.
    """

    group: str
    label: str
    cells: Mapping[str, Comparison]
    state: str
    why: str
    commands: tuple[str, ...]

    @property
    def name(self) -> str:
        """The row with its group, as lists separated by commas can take it."""
        return self.at("")

    def at(self, column: str) -> str:
        """The row with its group and a column."""
        inside = ", ".join(filter(None, (self.group, column)))
        return f"{self.label} ({inside})" if inside else self.label


@dataclass(frozen=True)
class PaperTable:
    """One printed table or figure. ``board`` is its leaderboard's name as people type it, ``options`` what follows."""

    spec: PrintedTable
    board: str
    columns: tuple[str, ...]
    rows: tuple[PaperRow, ...]
    options: str = ""

    @property
    def name(self) -> str:
        """A name for files and anchors."""
        plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in self.spec.short.lower())
        return "-".join(filter(None, plain.split("-")))

    @property
    def command(self) -> str:
        """The command that fills the whole table."""
        return f"suite leaderboard {self.board} --table '{self.spec.short}'{self.options}"

    @property
    def notes(self) -> list[str]:
        """Remarks on printed cells, each once with the rows that it is about.

        Columns are named of contradictions, and where a remark is about one or two columns of a row alone.
        """
        found: dict[str, dict[str, None]] = {}
        for row in self.rows:
            columns: dict[str, list[str]] = {}
            for column, one in row.cells.items():
                for part in filter(None, (note.strip() for note in one.printed.note.split(";"))):
                    columns.setdefault(part, []).append(column)
            for part, own in columns.items():
                apart = "inconsistent" in part or len(own) <= min(NEAR, len(row.cells) - 1)
                found.setdefault(part, {}).update(dict.fromkeys(map(row.at, own) if apart else [row.name]))
        return [f"{self._listed(list(places))}: {note}." for note, places in found.items()]

    @property
    def protocols(self) -> list[str]:
        """What tells runs of ours from the printed ones, each once with its rows."""
        found: dict[str, dict[str, None]] = {}
        for row in self.rows:
            for one in row.cells.values():
                if one.verdict.startswith(OTHER):
                    found.setdefault(one.verdict.removeprefix(OTHER), {})[row.name] = None
        return [f"{self._listed(list(rows))}: {said}." for said, rows in found.items()]

    @property
    def reasons(self) -> list[str]:
        """Why rows are empty, each reason once with its rows."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            if row.why:
                found.setdefault(row.why.rstrip("."), []).append(row.name)
        return [f"{self._listed(names)}: {why}." for why, names in found.items()]

    def _listed(self, names: list[str]) -> str:
        if len(names) == len(self.rows) > 1:
            return "all rows"
        return ", ".join(names[:FEW]) + (f" and {len(names) - FEW} more" if len(names) > FEW else "")


class Ours:
    """Our runs by what they are, and the numbers that they left.

    ``frame`` has a row per run asked for, ``found`` their metrics on test data, ``curves`` what they logged.
    ``short`` says in words how the runs were shortened, where they were.
    """

    def __init__(
        self,
        asked: Sequence[BoardRun],
        frame: pl.DataFrame,
        found: pl.DataFrame,
        curves: pl.DataFrame,
        short: str = "",
    ) -> None:
        self.found, self.curves, self.short = found, curves, short
        self.status: dict[str, str] = dict(frame.select("run", "status").iter_rows())
        self.marks: dict[str, list[str]] = dict(frame.select("run", "marks").iter_rows())
        self.errors: dict[str, str] = dict(frame.select("run", "error").iter_rows())
        self.runs: dict[Key, dict[int, BoardRun]] = {}
        for one in asked:
            if one.meant.epochs is None:
                self.runs.setdefault(key_of(one.meant), {})[one.spec.seed] = one

    @cached_property
    def logged(self) -> dict[tuple[str, str], float]:
        """The last value of every curve that analyses log, by run and metric."""
        own = self.curves.filter((pl.col("split") == "analysis") & pl.col("value").is_finite())
        last = own.group_by("run", "metric", maintain_order=True).agg(pl.col("value").last())
        return {(run, metric): value for run, metric, value in last.iter_rows()}

    def of(self, one: Wanted) -> dict[int, BoardRun]:
        """The runs of a setting, by seed."""
        return self.runs.get(key_of(one), {})

    def value(self, run: str, key: MetricKey, selection: str) -> float | None:
        """One run's number: a metric on test data at the selected epoch, or the last of a curve."""
        own = self.found.filter(
            (pl.col("run") == run) & (pl.col("label") == "") & (pl.col("table") == self._table(run))
        )
        values = pick(own, key, selection)
        return values[0] if values else self.logged.get((run, str(key)))

    def _table(self, run: str) -> int:
        # One run may stand in several tables of a board; its numbers are the same in each.
        tables = self.found.filter(pl.col("run") == run)["table"]
        return int(tables[0]) if len(tables) else -1


def paper_table(spec: PrintedTable, board: LeaderboardSpec, ours: Ours) -> PaperTable:
    """The printed table ``spec`` of ``board`` filled with ``ours``."""
    cells = load_published([spec.table])
    columns = tuple(dict.fromkeys(cell.column for cell in cells))
    rows: dict[tuple[str, str], list[Published]] = {}
    for cell in cells:
        rows.setdefault((cell.group, cell.row), []).append(cell)
    made = tuple(_row(place, own, spec, ours) for place, own in rows.items())
    return PaperTable(spec, board.call, columns, made, board.options)


def _row(place: tuple[str, str], cells: Sequence[Published], spec: PrintedTable, ours: Ours) -> PaperRow:
    runs = [one for cell in cells for each in wanted(cell) for one in ours.of(each).values()]
    named = {(one.dataset, one.spec.seed, key_of(one.meant)): one for one in runs}
    done = sum(ours.status.get(one.run) == "finished" for one in named.values())
    failed = [ours.errors[one.run] for one in named.values() if ours.status.get(one.run) == "failed"]
    why = next((cell.why_not for cell in cells if cell.why_not), "")
    why = why or (
        f"failed: {failed[0]}" if failed else next((one.blocked for one in named.values() if one.blocked), "")
    )
    left = [one for one in named.values() if ours.status.get(one.run) != "finished"]
    commands = () if cells[0].why_not else _commands(cells, left)
    marks = Counter(mark for one in named.values() for mark in ours.marks.get(one.run, ()))
    short = ["shortened"] if any(one.whole for one in named.values()) else []
    kinds = {find_card(one.spec.dataset).kind_of(one.spec.dials) for one in named.values()}
    made = ["generated features"] if GENERATED in kinds else []
    counted = [f"{done} of {len(named)}", *made, *short, *(f"{count} {mark}" for mark, count in marks.items())]
    state = ", ".join(counted) if named else ""
    label = {cell.column: _cell(cell, spec, ours) for cell in cells}
    return PaperRow(*place, label, state, why, commands)


def _commands(cells: Sequence[Published], left: Sequence[BoardRun]) -> tuple[str, ...]:
    """The commands of the row's settings of which a run is left, for its first seed."""
    missing = {key_of(one.meant): one for one in reversed(left)}
    texts = [
        command(cell, missing[key_of(each)].spec.seed, number)
        for cell in cells
        for number, each in enumerate(wanted(cell))
        if key_of(each) in missing
    ]
    return tuple(dict.fromkeys(texts))


def _cell(cell: Published, spec: PrintedTable, ours: Ours) -> Comparison:
    if cell.why_not:
        return comparison(cell, cell.row, (), (), "in print only")
    asked = wanted(cell)
    values, started = _values(cell, asked, ours)
    runs = [run for one in asked for run in ours.of(one).values()]
    kinds = dict.fromkeys(find_card(run.spec.dataset).kind_of(run.spec.dials) for run in runs)
    unlike = [ORIGINS[kind] for kind in kinds if ORIGINS[kind]]
    unlike += [ours.short] if any(run.whole for run in runs) else []
    unlike += [cell.differs] if cell.differs else []
    left = (f"see {spec.command}" if spec.command else _unmeasured(runs, ours)) if started else NOT_RUN
    return comparison(cell, cell.row, values, unlike, left)


def _unmeasured(runs: Sequence[BoardRun], ours: Ours) -> str:
    """Why finished runs have no value for a cell: they made no pseudo-label to measure, or measure something else."""
    bare = any(UNLABELLED in ours.marks.get(run.run, ()) for run in runs)
    return UNLABELLED if bare else "not measured by these runs"


def _values(cell: Published, asked: Sequence[Wanted], ours: Ours) -> tuple[list[float], bool]:
    """Our values in percent, one for each seed that is there on all of the cell's datasets; whether any run is."""
    by_seed = [
        {seed: one for seed, one in ours.of(each).items() if ours.status.get(one.run) == "finished"} for each in asked
    ]
    seeds = sorted(set.intersection(*(set(one) for one in by_seed)))
    found = []
    for seed in seeds:
        parts = [
            ours.value(runs[seed].run, cell.key, each.selection) for runs, each in zip(by_seed, asked, strict=True)
        ]
        known = [part for part in parts if part is not None]
        if len(known) == len(parts):
            found.append(100 * sum(known) / len(known))
    return found, bool(seeds)
