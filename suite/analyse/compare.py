"""Pairs of runs side by side: what moved, by how much beyond noise, and what differs between them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import polars as pl

from suite.analyse.sides import Side
from suite.data import load
from suite.errors import SuiteError, UsageError
from suite.evaluate.resampling import Difference, paired_bootstrap
from suite.evaluate.significance import SeedSummary, summarize
from suite.presets import value_text
from suite.tasks import task
from suite.tasks.base import Resampled

PAIR = ("dataset", "protocol", "seed")  # what the runs of a pair share
DRAWS = 1000
Pair: TypeAlias = tuple[dict[str, Any], dict[str, Any]]  # rows of the table of runs


@dataclass(frozen=True)
class Moved:
    """One metric (or one class's): means over the pairs, and the paired difference, first minus second."""

    name: str
    first: float
    second: float
    difference: SeedSummary


@dataclass(frozen=True)
class Compared:
    """What a comparison says; ``pairs``: rows of runs of either side, by dataset, protocol and seed.

    ``resampled``: dataset to the difference of the headline under a bootstrap over videos or clips, seeds drawn along.
    """

    names: tuple[str, str]
    pairs: tuple[Pair, ...]
    metrics: tuple[Moved, ...]
    classes: tuple[Moved, ...]
    resampled: Mapping[str, Difference]
    differs: tuple[tuple[str, str, str], ...]
    missing: tuple[str, ...]


def compare(first: Side, second: Side, draws: int = DRAWS) -> Compared:
    """Compare the runs of two methods, or two runs, pair by pair.

    Runs are paired by dataset, protocol and seed; two single runs are compared even where the seeds differ. ``draws``:
    replicates of the bootstrap over videos or clips, 0 for none.

    Raises:
        UsageError: several settings of a method in one pair, or nothing to pair.
    """
    pairs = _paired(first, second)
    metrics = tuple(side.metrics([pair[place]["run"] for pair in pairs]) for place, side in enumerate((first, second)))
    return with_bootstrap(compare_pairs((first, second), pairs, (metrics[0], metrics[1])), (first, second), draws)


def compare_pairs(
    sides: tuple[Side, Side], pairs: Sequence[Pair], metrics: tuple[pl.DataFrame, pl.DataFrame]
) -> Compared:
    """What ``pairs`` of runs say over their seeds; ``metrics`` are those of either side (:meth:`Side.metrics`)."""
    runs = [[pair[side]["run"] for pair in pairs] for side in (0, 1)]
    overall = [rows.filter(pl.col("label") == "") for rows in metrics]
    by_class = [_over_thresholds(rows.filter(pl.col("label") != "")) for rows in metrics]
    return Compared(
        names=(sides[0].name, sides[1].name),
        pairs=tuple(pairs),
        metrics=tuple(_moved(overall, runs, ["metric", "threshold"])),
        classes=tuple(_moved(by_class, runs, ["metric", "label"])),
        resampled={},
        differs=tuple(_differs(pairs)),
        missing=(),
    )


def with_bootstrap(found: Compared, sides: tuple[Side, Side], draws: int = DRAWS) -> Compared:
    """``found`` with the bootstrap of its headline, or why there is none."""
    if not draws:
        return found
    resampled, missing = _resampled(found.pairs, sides, draws)
    return replace(found, resampled=resampled, missing=tuple(missing))


def _paired(first: Side, second: Side) -> list[Pair]:
    """Pairs by dataset, protocol and seed; two single runs are a pair in any case."""
    mine, other = (list(side.runs.iter_rows(named=True)) for side in (first, second))
    if len(mine) == len(other) == 1:
        if mine[0]["task"] != other[0]["task"]:
            raise UsageError(
                f"{first.name} is of {mine[0]['task']}, {second.name} of {other[0]['task']}: nothing to compare."
            )
        return [(mine[0], other[0])]
    sides = [_by_pair(rows, side.name) for rows, side in ((mine, first), (other, second))]
    shared = sorted(sides[0].keys() & sides[1].keys(), key=str)
    if not shared:
        raise UsageError(f"{first.name} and {second.name} have no dataset, protocol and seed in common.")
    return [(sides[0][key], sides[1][key]) for key in shared]


def _by_pair(rows: list[dict[str, Any]], name: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row[column] for column in PAIR)
        if key in found and found[key]["params"] != row["params"]:
            raise UsageError(
                f"{name} has several settings on {row['dataset']}, seed {row['seed']} ({found[key]['run'][:8]}, "
                f"{row['run'][:8]}): name one run of each side instead."
            )
        found[key] = row
    return found


def _over_thresholds(rows: pl.DataFrame) -> pl.DataFrame:
    """A value per run, metric and class: the one without threshold, else the mean over thresholds."""
    keys = ["run", "metric", "label"]
    overall = rows.filter(pl.col("threshold").is_null())
    chosen = pl.concat([overall, rows.join(overall, on=keys, how="anti")])
    return chosen.group_by(keys, maintain_order=True).agg(pl.col("value").mean())


def _moved(rows: Sequence[pl.DataFrame], runs: list[list[str]], by: list[str]) -> list[Moved]:
    """A row per group of ``by`` in which every pair has both values; ``rows`` and ``runs`` are those of either side."""
    sides = [_values(frame, by) for frame in rows]
    found = []
    for key, mine in sides[0].items():
        theirs = sides[1].get(key, {})
        pairs = [(mine.get(one), theirs.get(two)) for one, two in zip(*runs, strict=True)]
        known = [(a, b) for a, b in pairs if a is not None and b is not None]
        if len(known) < len(pairs):
            continue
        first, second = (sum(pair[side] for pair in known) / len(known) for side in (0, 1))
        name = f"{key[0]}" if key[1] is None else f"{key[0]}@{key[1]:g}" if by[1] == "threshold" else str(key[1])
        found.append(Moved(name, first, second, summarize([a - b for a, b in known])))
    return found


def _values(rows: pl.DataFrame, by: list[str]) -> dict[tuple[Any, ...], dict[str, float]]:
    """The value of each run by group."""
    found: dict[tuple[Any, ...], dict[str, float]] = {}
    for one, other, run, value in rows.select(*by, "run", "value").iter_rows():
        near = round(other, 8) if isinstance(other, float) else other  # thresholds come from numpy's linspace
        found.setdefault((one, near), {})[run] = value
    return found


def _resampled(pairs: Sequence[Pair], sides: tuple[Side, Side], draws: int) -> tuple[dict[str, Difference], list[str]]:
    """The bootstrap of each dataset, and why it is missing where it is."""
    found: dict[str, Difference] = {}
    missing = []
    groups: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault((pair[0]["dataset"], pair[0]["protocol"]), []).append(pair)
    for (dataset, protocol), group in groups.items():
        try:
            found[f"{dataset}, {protocol}"] = _difference(group, sides, draws)
        except SuiteError as error:
            missing.append(f"no bootstrap on {dataset}: {error}")
    return found, missing


def _difference(group: Sequence[Pair], sides: tuple[Side, Side], draws: int) -> Difference:
    if any(ours[name] != theirs[name] for ours, theirs in group for name in PAIR[:2]):
        raise UsageError("the two runs are scored on other data or by another protocol")
    statistics: list[list[Resampled]] = [[], []]
    items: set[tuple[str, ...]] = set()
    for pair in group:
        for place, row in enumerate(pair):
            statistic, ids = _statistic(row, sides[place])
            statistics[place].append(statistic)
            items.add(ids)
    if len(items) != 1:
        raise UsageError("the test splits of the runs differ (a dial or the seed redraws them)")
    first, second = ([one.statistic for one in some] for some in statistics)
    return paired_bootstrap(first, second, statistics[0][0].units, draws, paired_seeds=True)


def _statistic(row: Mapping[str, Any], side: Side) -> tuple[Resampled, tuple[str, ...]]:
    """The headline of a run as a statistic of its test items, and these items."""
    served, rows = task(row["task"]), side.ledger.predictions(row["run"]).to_arrow()
    if not len(rows):
        raise UsageError(f"run {row['run'][:8]} has no predictions on record")
    places = side.places
    data = load(row["dataset"], row["task"], places.root, places.cache, protocol=row["protocol"], seed=row["seed"])
    samples = data.split("test")
    found = served.resampled(served.from_rows(rows, samples), samples, data)
    if found is None:
        raise UsageError(f"the headline of {row['task']} cannot be resampled")
    return found, tuple(map(str, samples.ids))


def _differs(pairs: Sequence[Pair]) -> list[tuple[str, str, str]]:
    """What is not the same on both sides: settings first, then code, data and machine."""
    found: dict[str, tuple[str, str]] = {}
    for ours, theirs in pairs:
        params = [json.loads(row["params"] or "{}") for row in (ours, theirs)]
        for name in sorted(params[0].keys() | params[1].keys()):
            texts = tuple(value_text(one[name]) if name in one else "" for one in params)
            if texts[0] != texts[1]:
                found.setdefault(f"parameter {name}", (texts[0], texts[1]))
        for name in ("method", *PAIR, "epochs", "code", "fingerprint", "commit", "carried"):
            if ours[name] != theirs[name]:
                found.setdefault(name, (str(ours[name]), str(theirs[name])))
        for column, kind in (("hardware", "machine"), ("versions", "library")):
            known = [json.loads(row[column] or "{}") for row in (ours, theirs)]
            for name in sorted(known[0].keys() | known[1].keys()):
                if known[0].get(name) != known[1].get(name):
                    found.setdefault(f"{kind}: {name}", (str(known[0].get(name, "")), str(known[1].get(name, ""))))
    return [(name, *texts) for name, texts in found.items()]
