"""What stands behind a table's means: every seed, every trial, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from suite.hyper import Value
from suite.method import Method
from suite.presets import value_text
from suite.registry import method
from suite.report import tables
from suite.report.numbers import pick
from suite.report.trials import TRIAL
from suite.report.views import View
from suite.spec.board import MetricKey


def every_seed(view: View) -> list[list[str]]:
    """The headline of each row by seed, in percent: a heading, then a line per row; empty where none has run."""
    numbers = sorted({seed for row in view.rows for seed, _ in row.by_seed})
    if not numbers:
        return []
    lines = [
        [row.label, *(tables.number(dict(row.by_seed)[n]) if n in dict(row.by_seed) else "" for n in numbers)]
        for row in view.rows
    ]
    return [["Method", *(f"seed {number}" for number in numbers)], *lines]


def every_trial(
    settings: Sequence[Mapping[str, Value]], tried: pl.DataFrame, found: pl.DataFrame, headline: MetricKey
) -> list[list[str]]:
    """What each row of one table tried, beside what validation said of it; empty where a table has one setting.

    ``tried`` is :func:`suite.report.trials.trials` and ``found`` the values on test data of all trials, both of one
    table on one dataset. Test numbers of trials that were not chosen are shown, too: nobody chose by them.
    """
    if len(settings) < 2:
        return []
    lines = [
        [
            line["row"],
            _in_words(settings[line["trial"]], method(line["method"])),
            f"{len(line['values'])} of {line['seeds']}",
            _mean(line["values"]),
            _mean(pick(_of(found, line), headline)),
            "chosen" if line["chosen"] else "",
        ]
        for line in tried.iter_rows(named=True)
    ]
    by = tried["chosen_by"][0]
    heading = ["Method", "Trial", "Seeds", f"{by}, validation", f"{headline}, test", ""]
    return [heading, *lines]


def cost(runs: pl.DataFrame, shown: pl.DataFrame) -> str:
    """How long the finished ``runs`` of a table computed, and what part of it for trials that are not ``shown``."""
    done = runs.filter(pl.col("status") == "finished").unique("run")
    lost = done.join(shown.select("run"), on="run", how="anti")
    whole, other = (float(frame["seconds"].fill_null(0.0).sum()) / 60 for frame in (done, lost))
    return f"{len(done)} runs, {whole:.1f} minutes of computing" + (
        f", {other:.1f} of them in trials that were not chosen" if len(lost) else ""
    )


def _of(found: pl.DataFrame, line: Mapping[str, object]) -> pl.DataFrame:
    same = [pl.col(name) == line[name] for name in TRIAL]
    return found.filter(*same, pl.col("label") == "")


def _in_words(setting: Mapping[str, Value], tried: type[Method]) -> str:
    """What of a trial's setting the method has."""
    own = [f"{name}={value_text(value)}" for name, value in setting.items() if name in tried.hypers]
    return ", ".join(own) or "as declared"


def _mean(values: Sequence[float]) -> str:
    """The mean and, in brackets, every seed."""
    if not values:
        return tables.NOTHING
    mean = sum(values) / len(values)
    return f"{tables.number(mean)} ({' '.join(tables.number(value) for value in values)})"
