"""What seeds can and cannot distinguish: summaries, corrected p-values, the smallest detectable difference."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from suite.evaluate.segments import Floats


@dataclass(frozen=True)
class SeedSummary:
    """Mean over n seeds, standard deviation with n - 1, and Student's t interval; NaN spread for a single seed."""

    mean: float
    deviation: float
    low: float
    high: float
    count: int


def summarize(values: ArrayLike, level: float = 0.95) -> SeedSummary:
    """Summarize one number per seed (n,)."""
    numbers = np.asarray(values, dtype=np.float64).reshape(-1)
    count = len(numbers)
    mean = float(numbers.mean()) if count else float("nan")
    if count < 2:
        return SeedSummary(mean, float("nan"), float("nan"), float("nan"), count)
    deviation = float(numbers.std(ddof=1))
    half = t_reach(count, level) * deviation
    return SeedSummary(mean, deviation, mean - half, mean + half, count)


@lru_cache(maxsize=1024)
def t_reach(count: int, level: float = 0.95) -> float:
    """Half of Student's t interval of a mean over ``count`` numbers, in standard deviations; NaN below two."""
    from scipy.stats import t

    return float(t.ppf(0.5 + level / 2, count - 1)) / count**0.5 if count > 1 else float("nan")


def holm(p_values: ArrayLike) -> Floats:
    """Holm's step-down adjustment (1979): (n,) p-values that hold together; NaN stays NaN and is not counted."""
    raw = np.asarray(p_values, dtype=np.float64).reshape(-1)
    adjusted = np.full(len(raw), np.nan)
    known = np.flatnonzero(~np.isnan(raw))
    order = known[np.argsort(raw[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * raw[order]))
    return adjusted


def smallest_detectable_difference(
    deviation: float,
    seeds: int,
    alpha: float = 0.05,
    power: float = 0.8,
    comparisons: int = 1,
    freedom: int | None = None,
) -> float:
    """The true difference of two means that a two-sided t-test finds with the given power.

    Two methods of ``seeds`` runs each and a common standard deviation over seeds; ``alpha`` is shared over
    ``comparisons`` (Bonferroni). ``freedom``: those of ``deviation``, 2 (seeds - 1) unless pooled over
    more methods. NaN with fewer than two seeds.
    """
    from scipy.stats import t

    if seeds < 2:
        return float("nan")
    freedom = freedom or 2 * (seeds - 1)
    reach = float(t.ppf(1.0 - alpha / comparisons / 2.0, freedom) + t.ppf(power, freedom))
    return reach * deviation * (2.0 / seeds) ** 0.5


def pooled_deviation(deviations: ArrayLike, counts: ArrayLike) -> float:
    """Standard deviation common to several methods, each known from ``counts`` seeds; NaN where none has two."""
    spread, seeds = np.asarray(deviations, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    usable = (seeds >= 2) & ~np.isnan(spread)
    if not usable.any():
        return float("nan")
    freedom = seeds[usable] - 1
    return float(np.sqrt((freedom * spread[usable] ** 2).sum() / freedom.sum()))
