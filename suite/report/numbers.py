"""The values of runs by metric, threshold and selection of epochs."""

from __future__ import annotations

import polars as pl

from suite.spec.board import MetricKey

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
        for seed, metric, at, selection, value in (
            own.sort("seed").select("seed", "metric", "threshold", "selection", "value").iter_rows()
        ):
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
