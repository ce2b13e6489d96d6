"""The values of runs by metric, threshold and selection of epochs."""

from __future__ import annotations

from operator import itemgetter

import polars as pl

from suite.results.given import SELECTION
from suite.results.ledger import Ledger
from suite.spec.board import MetricKey
from suite.tasks import tasks

HONEST, ORACLE = "validation", "oracle"


def pick(own: pl.DataFrame, key: MetricKey, selection: str = HONEST) -> tuple[float, ...]:
    """The values of one metric under one selection, one per seed, by seed."""
    return Numbers(own).pick(key, selection)


class Numbers:
    """The values of one row's runs by metric, threshold and selection, looked up once for all columns of a table.

    ``own`` holds ``seed``, ``metric``, ``threshold``, ``selection`` and ``value``.
    """

    def __init__(self, own: pl.DataFrame) -> None:
        self._held: dict[tuple[str, float | None, str], list[tuple[int, float]]] = {}
        rows = own.select("seed", "metric", "threshold", "selection", "value").iter_rows()
        for seed, metric, at, selection, value in sorted(rows, key=itemgetter(0)):
            self._held.setdefault((metric, _near(at), selection), []).append((seed, value))

    def pick(self, key: MetricKey, selection: str = HONEST) -> tuple[float, ...]:
        """The values of one metric under one selection, by seed."""
        return tuple(value for _, value in self.by_seed(key, selection))

    def by_seed(self, key: MetricKey, selection: str = HONEST) -> tuple[tuple[int, float], ...]:
        """The same with their seeds."""
        return tuple(self._held.get((key.metric, _near(key.threshold), selection), ()))


def _near(threshold: float | None) -> float | None:
    """Thresholds of evaluators come from numpy's linspace, those of boards are written as decimals."""
    return None if threshold is None else round(threshold, 8)


def headlines(ledger: Ledger, runs: pl.DataFrame) -> pl.DataFrame:
    """Each run's headline on test data, the epoch chosen on validation data."""
    metric = {name: one.headline for name, one in tasks().items()}
    wanted = runs.select("run", "attempt", pl.col("task").replace_strict(metric, default="").alias("metric"))
    chosen = (pl.col("split") == "test") & pl.col("selection").is_in([HONEST, SELECTION]) & (pl.col("label") == "")
    rows = ledger.stores["metrics"].read(
        lambda all_: all_.filter(chosen & pl.col("threshold").is_null() & pl.col("value").is_finite())
    )
    found = wanted.join(rows, on=["run", "attempt", "metric"], how="inner")
    return found.unique("run", keep="last").select("run", "value")
