"""The noise that methods of one table have in common, and which differences it lets a reader see."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from suite.evaluate.significance import pooled_deviation, smallest_detectable_difference, summarize

POWER = 0.8
MOST = 1000  # seeds beyond which a difference is too small to be worth settling


@dataclass(frozen=True)
class Spread:
    """The standard deviation over seeds that methods have in common, and its degrees of freedom.

    With two or three seeds a method's own spread is hardly known; pooled over a column it is. The price is the
    assumption that seeds move all methods of a table about alike.
    """

    deviation: float
    freedom: int

    def apart(self, first: Sequence[float], second: Sequence[float], methods: int, alpha: float = 0.05) -> bool:
        """Whether two of ``methods`` means differ beyond this spread (Tukey-Kramer); False where nothing can be said.

        All pairs of the column share ``alpha``: the best of many equal methods is picked for being the highest, so that
        tests of the others against it, corrected for their number alone, are wrong more often than they say.
        """
        if not self.freedom or not first or not second:
            return False
        error = self.deviation * (1 / len(first) + 1 / len(second)) ** 0.5
        difference = abs(float(np.mean(first)) - float(np.mean(second)))
        return difference > critical_range(methods, self.freedom, alpha) * error

    def detectable(self, seeds: int, comparisons: int) -> float:
        """The smallest difference of two methods that so many seeds find with power 0.8, 5 % shared."""
        return smallest_detectable_difference(self.deviation, seeds, comparisons=comparisons, freedom=self.freedom)

    def settling(self, difference: float, seeds: int, methods: int, alpha: float = 0.05) -> int:
        """About how many seeds :meth:`apart` needs to find this difference with power 0.8; 0 for more than 1,000.

        ``seeds`` are those that the spread is known from: its degrees of freedom grow with them.
        """
        if not self.freedom or seeds < 2:
            return 0
        now, last = (critical_range(methods, freedom, alpha) for freedom in (self.freedom, math.inf))

        def reach(more: int) -> float:
            freedom = self.freedom * (more - 1) / (seeds - 1)
            # Quantiles are about linear in 1 / freedom; Tukey's own takes half a second each.
            return last + (now - last) * self.freedom / freedom + _powered(freedom)

        return seeds_needed(difference, 2**0.5 * self.deviation, reach)


def seeds_needed(difference: float, deviation: float, reach: Callable[[int], float]) -> int:
    """The least n >= 2 with ``reach(n)`` standard errors, deviation / sqrt(n), within the difference; 0 beyond 1,000.

    ``reach`` is the sum of two quantiles: what the test asks for, and what the power does.
    """
    if not difference or not math.isfinite(deviation):
        return 0
    counts = range(2, MOST + 1)
    place = bisect_left(counts, True, key=lambda n: reach(n) * deviation / n**0.5 <= abs(difference))
    return counts[place] if place < len(counts) else 0


@lru_cache(maxsize=4096)
def _powered(freedom: float) -> float:
    """The quantile of Student's t at the power: scipy takes a fifth of a millisecond for each, a page asks often."""
    from scipy.stats import t

    return float(t.ppf(POWER, freedom))


@lru_cache(maxsize=256)
def critical_range(methods: int, freedom: float, alpha: float) -> float:
    """How many standard errors two of ``methods`` means must lie apart: Tukey's; Student's t where there are two."""
    from scipy.stats import studentized_range, t

    if methods < 3:
        return float(t.ppf(1 - alpha / 2, freedom))
    return float(studentized_range.ppf(1 - alpha, methods, freedom)) / 2**0.5


def common_spread(values: Sequence[Sequence[float]], seeds: int) -> Spread:
    """The spread of several methods' values over seeds, in seed order; NaN with no freedom where none has two.

    Where a dataset draws labels, a seed draws those that all methods learn from: they have good and bad seeds together.
    What a seed does to all of them alike says nothing about their differences and is taken out (a randomized block
    design: deviations from method mean and seed mean) wherever every method has all ``seeds``; else it stays in.
    """
    known = [list(numbers) for numbers in values if len(numbers)]
    if len(known) > 1 and seeds > 1 and all(len(numbers) == seeds for numbers in known):
        return _blocked(np.array(known, dtype=np.float64))
    return pooled_spread(known)


def pooled_spread(values: Sequence[Sequence[float]]) -> Spread:
    """The spread of each method's own values about its mean, pooled; NaN with no freedom where none has two."""
    spreads = [summarize(numbers) for numbers in values if len(numbers) > 1]
    deviation = pooled_deviation([one.deviation for one in spreads], [one.count for one in spreads])
    return Spread(deviation, sum(one.count - 1 for one in spreads))


def marks(values: Sequence[tuple[float, ...]], seeds: int, given: Sequence[bool]) -> list[tuple[bool, bool]]:
    """For each row's values over ``seeds``: is it the best, and is it another that may be as good.

    Rows ``given`` from files add nothing to the spread, and are judged by the one that leaves in what a seed does to
    all methods alike: their seeds are not ours.
    """
    means = np.array([np.mean(numbers) if numbers else -np.inf for numbers in values])
    if np.isfinite(means).sum() < 2 or max(map(len, values)) < 2:  # a single seed decides nothing
        return [(False, False)] * len(values)
    own = [numbers for numbers, foreign in zip(values, given, strict=True) if not foreign]
    spread, whole = common_spread(own, seeds), pooled_spread(own)
    top, count = int(means.argmax()), int(np.isfinite(means).sum())
    near = []
    for numbers, foreign in zip(values, given, strict=True):
        judge = whole if foreign or given[top] else spread
        near.append(bool(numbers) and not judge.apart(numbers, values[top], count))
    return [(bool(is_best), one and not is_best) for is_best, one in zip(means == means.max(), near, strict=True)]


def _blocked(table: np.ndarray) -> Spread:
    """From (methods, seeds): what is left beside the means of rows and columns."""
    left = table - table.mean(1, keepdims=True) - table.mean(0, keepdims=True) + table.mean()
    # One degree of freedom is lost for each mean that was taken out (two-way layout without repetition).
    freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
    return Spread(float(np.sqrt((left**2).sum() / freedom)), freedom)
