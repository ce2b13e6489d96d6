"""The noise that methods of one table have in common, and which differences it lets a reader see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from suite.evaluate.significance import pooled_deviation, smallest_detectable_difference, summarize


@dataclass(frozen=True)
class Spread:
    """The standard deviation over seeds that methods have in common, and its degrees of freedom.

    With two or three seeds a method's own spread is hardly known; pooled over a column it is. The price is the
    assumption that seeds move all methods of a table about alike.
    """

    deviation: float
    freedom: int

    def test(self, first: Sequence[float], second: Sequence[float]) -> float:
        """Two-sided p-value of Student's t-test of two means with this spread; NaN where nothing can be said."""
        from scipy.stats import t

        if not self.freedom or not first or not second:
            return float("nan")
        error = self.deviation * (1 / len(first) + 1 / len(second)) ** 0.5
        difference = abs(float(np.mean(first)) - float(np.mean(second)))
        return float(2 * t.sf(difference / error, self.freedom)) if error > 0 else float(difference == 0)

    def detectable(self, seeds: int, comparisons: int) -> float:
        """The smallest difference of two methods that so many seeds find with power 0.8, 5 % shared."""
        return smallest_detectable_difference(self.deviation, seeds, comparisons=comparisons, freedom=self.freedom)


def common_spread(values: Sequence[Sequence[float]], seeds: int) -> Spread:
    """The spread of several methods' values over seeds, in seed order; NaN with no freedom where none has two.

    Where a dataset draws labels, a seed draws those that all methods learn from: they have good and bad seeds together.
    What a seed does to all of them alike says nothing about their differences and is taken out (a randomized block
    design: deviations from method mean and seed mean) wherever every method has all ``seeds``; else it stays in.
    """
    known = [list(numbers) for numbers in values if len(numbers)]
    if len(known) > 1 and seeds > 1 and all(len(numbers) == seeds for numbers in known):
        return _blocked(np.array(known, dtype=np.float64))
    spreads = [summarize(numbers) for numbers in known if len(numbers) > 1]
    deviation = pooled_deviation([one.deviation for one in spreads], [one.count for one in spreads])
    return Spread(deviation, sum(one.count - 1 for one in spreads))


def _blocked(table: np.ndarray) -> Spread:
    """From (methods, seeds): what is left beside the means of rows and columns."""
    left = table - table.mean(1, keepdims=True) - table.mean(0, keepdims=True) + table.mean()
    # One degree of freedom is lost for each mean that was taken out (two-way layout without repetition).
    freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
    return Spread(float(np.sqrt((left**2).sum() / freedom)), freedom)
