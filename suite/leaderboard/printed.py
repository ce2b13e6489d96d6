"""The tables of a paper as tables of runs: every row that something here can run, under the settings in print."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from suite.errors import UsageError, did_you_mean
from suite.hyper import Value
from suite.registry import method
from suite.spec.board import Entry, LeaderboardSpec, PrintedTable, TableSpec
from suite.tasks import task

if TYPE_CHECKING:
    from suite.report.published import Published

Place = tuple[str, str]  # dataset with dials, protocol


def with_printed_runs(board: LeaderboardSpec) -> LeaderboardSpec:
    """``board`` with a table of runs for each dataset and protocol of its printed tables, before its own tables."""
    made = tuple(table for printed in board.printed for table in _tables(printed))
    return board.model_copy(update={"tables": made + board.tables})


def only(board: LeaderboardSpec, name: str) -> LeaderboardSpec:
    """``board`` with the tables called ``name`` alone, by title or as the paper calls them (``Table 1``).

    Its name says so, for its page is another one. Raises :class:`UsageError` where there is no such table.
    """
    known = {word: one for one in board.printed for word in (one.short, one.title)}
    titles = {table.title for table in board.tables}
    if name not in known and name not in titles:
        raise UsageError(f"leaderboard {board.call} has no table '{name}'{did_you_mean(name, known or titles)}")
    printed = (known[name],) if name in known else ()
    of_runs = tuple(table for one in printed for table in _tables(one))
    tables = of_runs or tuple(table for table in board.tables if table.title == name)
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower()).strip("-")
    parts = {"name": f"{board.name}-{plain}", "printed": printed, "tables": tables, "part_of": board.name}
    return board.model_copy(update=parts)


def table_names(board: LeaderboardSpec) -> list[str]:
    """What each table of runs of ``board`` belongs to: a table of the paper by its name there, or itself."""
    names = [one.short for one in board.printed for _ in _tables(one)]
    return names + [table.title for table in board.tables[len(names) :]]


def _tables(printed: PrintedTable) -> list[TableSpec]:
    from suite.report.published import load_published  # few boards have printed tables

    cells = [cell for cell in load_published([printed.table]) if not cell.why_not]
    places = dict.fromkeys((dataset, cell.protocol) for cell in cells for dataset in cell.datasets)
    return [_table(printed, place, _of(cells, place)) for place in places]


def _of(cells: Iterable[Published], place: Place) -> list[Published]:
    return [cell for cell in cells if cell.protocol == place[1] and place[0] in cell.datasets]


def _table(printed: PrintedTable, place: Place, cells: list[Published]) -> TableSpec:
    dataset, protocol = place
    rows = dict.fromkeys((_label(cell), cell.method, cell.params) for cell in cells)
    entries = tuple(Entry(method=method, label=label, params=_settings(params)) for label, method, params in rows)
    return TableSpec(
        title=f"{printed.title}, {dataset}",
        datasets=(dataset,),
        methods=entries,
        protocol=protocol,
        seeds=printed.seeds,
        epochs=None,
        metrics=_metrics(cells),
    )


def _metrics(cells: list[Published]) -> tuple[str, ...]:
    """The metrics of print; the task's headline where the print is about what curves and analyses show."""
    keys = dict.fromkeys(cell.key for cell in cells)
    headline = task(method(cells[0].method).task).headline
    return tuple(map(str, keys)) if headline in {key.metric for key in keys} else (headline,)


def _label(cell: Published) -> str:
    return f"{cell.row}, {cell.group}" if cell.group else cell.row


def _settings(params: str) -> dict[str, Value]:
    """As text: the method's declaration gives values their types."""
    return {name: value for name, _, value in (part.partition("=") for part in params.split())}
