"""Two boards or two ledgers row by row: what both have is compared, what one alone has is listed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import polars as pl

from suite.analyse.compare import DRAWS, Compared, Moved, Pair, compare_pairs, with_bootstrap
from suite.analyse.method_facts import setting
from suite.analyse.sides import Side
from suite.errors import UsageError
from suite.evaluate.resampling import Difference
from suite.evaluate.significance import holm
from suite.registry import methods
from suite.tasks import task

logger = logging.getLogger(__name__)

Runs: TypeAlias = dict[int, dict[str, Any]]  # seed to row of the table of runs
Key: TypeAlias = tuple[Any, ...]
# A row of one side is that of the other with the same parameters, or else the only one left of its method.
STEPS = (("params", "epochs"), ("params",), ())
MANY = 30  # rows whose resampling takes long enough to say so
PLACE = ("method", "dataset", "protocol")


@dataclass(frozen=True)
class Entry:
    """What one side asks of a method: ``runs`` by seed, under a ``label``, with its ``setting`` in words."""

    label: str
    setting: str
    runs: Runs

    @property
    def first(self) -> dict[str, Any]:
        """The row of its first seed."""
        return next(iter(self.runs.values()))


@dataclass(frozen=True)
class Row:
    """A row that both sides have, over the seeds that both have; ``p_value`` holds for all rows together (Holm)."""

    label: str
    dataset: str
    protocol: str
    settings: tuple[str, str]
    compared: Compared
    p_value: float = float("nan")

    @property
    def headline(self) -> Moved | None:
        """How its task's headline moved."""
        wanted = task(self.compared.pairs[0][0]["task"]).headline
        return next((one for one in self.compared.metrics if one.name == wanted), None)

    @property
    def resampled(self) -> Difference | None:
        """The bootstrap of its headline."""
        return next(iter(self.compared.resampled.values()), None)

    @property
    def moved(self) -> bool:
        """Whether any number of any seed is another."""
        return any(_apart(one) for one in (*self.compared.metrics, *self.compared.classes))

    @property
    def interval(self) -> tuple[float, float]:
        """Of the headline's difference: by the bootstrap where there is one, else over the seeds (NaN for one)."""
        found = self.resampled or (self.headline and self.headline.difference)
        return (found.low, found.high) if found else (float("nan"), float("nan"))

    @property
    def beyond(self) -> bool:
        """Whether the interval of the headline's difference leaves out 0."""
        low, high = self.interval
        return low > 0 or high < 0


@dataclass(frozen=True)
class Matched:
    """Two boards or ledgers: ``rows`` in both, those that moved most first, and what one side ``only`` has."""

    names: tuple[str, str]
    rows: tuple[Row, ...]
    only: tuple[tuple[Entry, ...], tuple[Entry, ...]]

    @property
    def moved(self) -> tuple[Row, ...]:
        """The rows of which any number moved."""
        return tuple(row for row in self.rows if row.moved)


def match(first: Side, second: Side, draws: int = DRAWS) -> Matched:
    """Compare the rows that both sides have: same method, dataset, protocol and parameters, over their common seeds.

    Of rows left over, those are compared that are the only one of their method on their dataset under their protocol:
    there the parameters moved. Rows whose numbers are the same are not resampled; ``draws`` as in ``compare``.

    Raises :class:`UsageError` where the two have nothing in common.
    """
    pairs, only = _matches(_entries(first), _entries(second))
    if not pairs:
        raise UsageError(f"{first.name} and {second.name} have no row in common (method, dataset, protocol and seed).")
    sides = (first, second)
    names = [[run["run"] for pair in pairs for run in pair[place].runs.values()] for place in (0, 1)]
    held = [side.metrics(runs).partition_by("run", as_dict=True) for side, runs in zip(sides, names, strict=True)]
    empty = first.metrics([])

    def metrics_of(place: int, runs: Iterable[str]) -> pl.DataFrame:
        return pl.concat([empty, *(held[place][run,] for run in runs if (run,) in held[place])])

    rows = _resampled([_row(pair, sides, metrics_of) for pair in pairs], sides, draws)
    return Matched((first.name, second.name), tuple(sorted(_adjusted(rows), key=_order)), only)


def _entries(side: Side) -> list[Entry]:
    """The requests of a side, each with its newest run of every seed."""
    found: dict[Key, Runs] = {}
    for row in side.runs.iter_rows(named=True):
        key = tuple(row[name] for name in (*PLACE, "params", "epochs"))
        found.setdefault(key, {})[row["seed"]] = row
    return [_entry(side, dict(sorted(runs.items()))) for runs in found.values()]


def _entry(side: Side, runs: Runs) -> Entry:
    first = next(iter(runs.values()))
    return Entry(
        side.labels.get(first["run"], first["title"] or first["method"]),
        setting(first, methods().get(first["method"])),
        runs,
    )


def _matches(
    mine: list[Entry], other: list[Entry]
) -> tuple[list[tuple[Entry, Entry]], tuple[tuple[Entry, ...], tuple[Entry, ...]]]:
    """Entries of both sides that belong together, cut to common seeds; and those of either side without another."""
    found: list[tuple[Entry, Entry]] = []
    for step in STEPS:
        sides = [_single(entries, (*PLACE, *step)) for entries in (mine, other)]
        for key in sides[0].keys() & sides[1].keys():
            first, second = sides[0][key], sides[1][key]
            seeds = sorted(first.runs.keys() & second.runs.keys())
            if seeds:
                mine, other = (_without(all_, one) for all_, one in ((mine, first), (other, second)))
                found.append((_cut(first, seeds), _cut(second, seeds)))
    return found, (tuple(mine), tuple(other))


def _single(entries: Iterable[Entry], by: tuple[str, ...]) -> dict[Key, Entry]:
    """The entries that are alone with their values of ``by``."""
    groups: dict[Key, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(tuple(entry.first[name] for name in by), []).append(entry)
    return {key: some[0] for key, some in groups.items() if len(some) == 1}


def _without(entries: list[Entry], one: Entry) -> list[Entry]:
    return [entry for entry in entries if entry is not one]


def _cut(entry: Entry, seeds: Iterable[int]) -> Entry:
    return replace(entry, runs={seed: entry.runs[seed] for seed in seeds})


def _row(pair: tuple[Entry, Entry], sides: tuple[Side, Side], metrics_of: Callable[..., pl.DataFrame]) -> Row:
    mine, other = pair
    pairs: list[Pair] = list(zip(mine.runs.values(), other.runs.values(), strict=True))
    metrics = tuple(metrics_of(place, [one[place]["run"] for one in pairs]) for place in (0, 1))
    compared = compare_pairs(sides, pairs, (metrics[0], metrics[1]))
    return Row(mine.label, mine.first["dataset"], mine.first["protocol"], (mine.setting, other.setting), compared)


def _resampled(rows: list[Row], sides: tuple[Side, Side], draws: int) -> list[Row]:
    """The rows, with the bootstrap of those whose headline moved."""
    wanted = [row.headline is not None and _apart(row.headline) for row in rows]
    if draws and sum(wanted) > MANY:
        logger.info(f"resampling {sum(wanted)} rows, a second or more for each; --draws 0 leaves that out")
    return [
        replace(row, compared=with_bootstrap(row.compared, sides, draws)) if moved else row
        for row, moved in zip(rows, wanted, strict=True)
    ]


def _apart(one: Moved) -> bool:
    return bool(one.difference.mean) or one.difference.deviation > 0


def _adjusted(rows: list[Row]) -> list[Row]:
    values = holm([row.resampled.p_value if row.resampled else float("nan") for row in rows])
    return [replace(row, p_value=float(value)) for row, value in zip(rows, values, strict=True)]


def _order(row: Row) -> tuple[Any, ...]:
    gap = abs(row.headline.difference.mean) if row.headline else 0.0
    return -gap, not row.moved, row.dataset, row.label


def as_plain(entry: Entry) -> Mapping[str, Any]:
    """An entry as the listing and ``--json`` show it."""
    first = entry.first
    facts = {name: first[name] for name in PLACE}
    return {
        "row": entry.label,
        **facts,
        "setting": entry.setting,
        "seeds": list(entry.runs),
        "runs": [row["run"] for row in entry.runs.values()],
    }
