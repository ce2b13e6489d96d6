"""Two methods or runs side by side: what moved, by how much beyond noise, and what differs between them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from suite.data import load
from suite.errors import SuiteError, UsageError, did_you_mean
from suite.evaluate.resampling import Difference, paired_bootstrap
from suite.evaluate.significance import SeedSummary, summarize
from suite.places import Places
from suite.presets import value_text
from suite.registry import canonical_name, methods
from suite.results.ledger import Ledger
from suite.tasks import task
from suite.tasks.base import Resampled

PAIR = ("dataset", "protocol", "seed")  # what the runs of a pair share
DRAWS = 1000


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
    pairs: tuple[tuple[dict[str, Any], dict[str, Any]], ...]
    metrics: tuple[Moved, ...]
    classes: tuple[Moved, ...]
    resampled: Mapping[str, Difference]
    differs: tuple[tuple[str, str, str], ...]
    missing: tuple[str, ...]


def compare(ledger: Ledger, places: Places, first: str, second: str, dataset: str = "") -> Compared:
    """Compare ``first`` with ``second``: methods, or runs by the beginnings of their ids.

    A method stands for its finished runs (on ``dataset`` only, if given, with or without dials). Runs are paired by
    dataset, protocol and seed; two single runs are compared even where the seeds differ.

    Raises:
        UsageError: a name that is neither, several settings of a method in one pair, or nothing to pair.
    """
    mine, other = (_side(ledger, name, dataset) for name in (first, second))
    pairs = _paired(mine, other, (first, second))
    runs = [[pair[side]["run"] for pair in pairs] for side in (0, 1)]
    metrics = ledger.metrics({*runs[0], *runs[1]})
    metrics = metrics.filter((pl.col("split") == "test") & (pl.col("selection") == "validation"))
    resampled, missing = _resampled(pairs, ledger, places)
    return Compared(
        names=(first, second),
        pairs=tuple(pairs),
        metrics=tuple(_moved(metrics.filter(pl.col("label") == ""), runs, ["metric", "threshold"])),
        classes=tuple(_moved(_over_thresholds(metrics.filter(pl.col("label") != "")), runs, ["metric", "label"])),
        resampled=resampled,
        differs=tuple(_differs(pairs)),
        missing=tuple(missing),
    )


def _side(ledger: Ledger, name: str, dataset: str) -> list[dict[str, Any]]:
    """The finished runs that ``name`` stands for."""
    runs = ledger.runs().filter(pl.col("status") == "finished")
    method = canonical_name(name) if canonical_name(name) in methods() else ""
    found = runs.filter(pl.col("method") == method) if method else runs.filter(pl.col("run").str.starts_with(name))
    if not method and len(found) != 1:
        known = [*methods(), *runs["run"].to_list()]
        problem = f"begins {len(found)} finished runs" if len(found) else "is neither a method nor a finished run"
        raise UsageError(f"'{name}' {problem} of {ledger.folder}{did_you_mean(name, known)}.")
    rows = [row for row in found.iter_rows(named=True) if not dataset or _on(row, dataset)]
    if not rows:
        raise UsageError(
            f"no run of {name} has finished{f' on {dataset}' if dataset else ''}; see: suite results list."
        )
    return rows


def _on(row: Mapping[str, Any], dataset: str) -> bool:
    return dataset in (row["dataset"], row["dataset"].partition("[")[0])


def _paired(
    mine: list[dict[str, Any]], other: list[dict[str, Any]], names: tuple[str, str]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Pairs by dataset, protocol and seed; two single runs are a pair in any case."""
    if len(mine) == len(other) == 1:
        if mine[0]["task"] != other[0]["task"]:
            raise UsageError(
                f"{names[0]} is of {mine[0]['task']}, {names[1]} of {other[0]['task']}: nothing to compare."
            )
        return [(mine[0], other[0])]
    sides = [_by_pair(rows, name) for rows, name in ((mine, names[0]), (other, names[1]))]
    shared = sorted(sides[0].keys() & sides[1].keys(), key=str)
    if not shared:
        raise UsageError(f"{names[0]} and {names[1]} have no dataset, protocol and seed in common.")
    return [(sides[0][key], sides[1][key]) for key in shared]


def _by_pair(rows: list[dict[str, Any]], name: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row[column] for column in PAIR)
        if key in found and found[key]["params"] != row["params"]:
            raise UsageError(
                f"{name} has several settings on {row['dataset']}, seed {row['seed']} ({found[key]['run'][:8]}, "
                f"{row['run'][:8]}): name one run of each side, or restrict with --dataset."
            )
        found[key] = row
    return found


def _over_thresholds(rows: pl.DataFrame) -> pl.DataFrame:
    """A value per run, metric and class: the one without threshold, else the mean over thresholds."""
    keys = ["run", "metric", "label"]
    overall = rows.filter(pl.col("threshold").is_null())
    chosen = pl.concat([overall, rows.join(overall, on=keys, how="anti")])
    return chosen.group_by(keys, maintain_order=True).agg(pl.col("value").mean())


def _moved(rows: pl.DataFrame, runs: list[list[str]], by: list[str]) -> list[Moved]:
    """A row per group of ``by`` in which every pair has both values."""
    found = []
    for key, part in rows.group_by(by, maintain_order=True):
        values = dict(part.select("run", "value").iter_rows())
        pairs = [(values.get(ours), values.get(theirs)) for ours, theirs in zip(*runs, strict=True)]
        known = [(a, b) for a, b in pairs if a is not None and b is not None]
        if len(known) < len(pairs):
            continue
        first, second = (sum(pair[side] for pair in known) / len(known) for side in (0, 1))
        name = f"{key[0]}" if key[1] is None else f"{key[0]}@{key[1]:g}" if by[1] == "threshold" else str(key[1])
        found.append(Moved(name, first, second, summarize([a - b for a, b in known])))
    return found


def _resampled(
    pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]], ledger: Ledger, places: Places
) -> tuple[dict[str, Difference], list[str]]:
    """The bootstrap of each dataset, and why it is missing where it is."""
    found: dict[str, Difference] = {}
    missing = []
    groups: dict[tuple[str, str], list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    for pair in pairs:
        groups.setdefault((pair[0]["dataset"], pair[0]["protocol"]), []).append(pair)
    for (dataset, protocol), group in groups.items():
        try:
            found[f"{dataset}, {protocol}"] = _difference(group, ledger, places)
        except SuiteError as error:
            missing.append(f"no bootstrap on {dataset}: {error}")
    return found, missing


def _difference(group: Sequence[tuple[dict[str, Any], dict[str, Any]]], ledger: Ledger, places: Places) -> Difference:
    statistics: list[list[Resampled]] = [[], []]
    for pair in group:
        for side, row in enumerate(pair):
            statistics[side].append(_statistic(row, ledger, places))
    sizes = {one.units for one in (*statistics[0], *statistics[1])}
    if len(sizes) != 1:
        raise UsageError("the test splits of the runs differ (a dial or the seed redraws them)")
    first, second = ([one.statistic for one in some] for some in statistics)
    return paired_bootstrap(first, second, sizes.pop(), DRAWS, paired_seeds=True)


def _statistic(row: Mapping[str, Any], ledger: Ledger, places: Places) -> Resampled:
    served, rows = task(row["task"]), ledger.predictions(row["run"]).to_arrow()
    if not len(rows):
        raise UsageError(f"run {row['run'][:8]} has no predictions on record")
    data = load(row["dataset"], row["task"], places.root, places.cache, protocol=row["protocol"], seed=row["seed"])
    samples = data.split("test")
    found = served.resampled(served.from_rows(rows, samples), samples, data)
    if found is None:
        raise UsageError(f"the headline of {row['task']} cannot be resampled")
    return found


def _differs(pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> list[tuple[str, str, str]]:
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
