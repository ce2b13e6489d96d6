"""Verdicts from differences that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from suite.claims.verdict import Judged, seeds_needed, verdict
from suite.evaluate.significance import summarize

FLAT = (0.50, 0.51, 0.49, 0.50, 0.52)
BETTER = (0.60, 0.62, 0.58, 0.61, 0.60)
NEAR = (0.53, 0.47, 0.52, 0.49, 0.53)


def at(place: float, method=BETTER, control=FLAT, expect="gain", premise=()) -> Judged:
    return Judged(place, expect, tuple(method), tuple(control), tuple(premise))


def test_gain_is_the_paired_difference_with_its_interval() -> None:
    difference = np.subtract(BETTER, FLAT)
    low, high = stats.t.interval(0.95, 4, difference.mean(), stats.sem(difference))
    gain = at(1).gain
    assert (gain.mean, gain.low, gain.high) == pytest.approx((difference.mean(), low, high))


@pytest.mark.parametrize(
    ("points", "least", "kind", "why"),
    [
        ([at(0, NEAR, FLAT, "none"), at(4)], None, "reproduced", "none without its premise"),
        ([at(0, expect="none"), at(4)], None, "reproduced", "without its premise there is a gain, too"),
        ([at(2, FLAT, BETTER), at(4)], None, "not reproduced", "a loss beyond chance where a gain is expected"),
        ([at(4, FLAT, BETTER)], None, "not reproduced", "a loss beyond chance"),
        ([at(4, FLAT, FLAT)], None, "not reproduced", "no gain where one is expected"),
        ([at(4, NEAR, FLAT)], None, "undecided", "seeds would settle it"),
        ([at(4, premise=[0.2] * 5)], 0.5, "premise absent", "reaches 0.20 and the premise asks for 0.5"),
        ([at(2, premise=[0.2] * 5), at(4, premise=[0.9] * 5)], 0.5, "reproduced", "at 4"),
        ([at(4, (), ())], None, "not run", "two seeds"),
        ([at(0, expect="none")], None, "not run", "two seeds"),
    ],
)
def test_rules(points: list[Judged], least: float | None, kind: str, why: str) -> None:
    found = verdict(points, least)
    assert found.kind == kind and why in found.why


def test_seeds_that_would_settle_a_difference_do_so_in_four_of_five_cases() -> None:
    """Simulated: differences of mean 1 and deviation 2, as many as said; a paired t-test finds about 80 % of them."""
    needed = seeds_needed(summarize([1.0 - 2.0, 1.0 + 2.0, 1.0 - 2.0, 1.0 + 2.0, 1.0]))
    deviation = float(np.std([-1.0, 3.0, -1.0, 3.0, 1.0], ddof=1))
    draws = np.random.default_rng(0).normal(1.0, deviation, (4000, needed))
    found = (stats.ttest_1samp(draws, 0.0, axis=1).pvalue < 0.05).mean()
    assert 0.76 < found < 0.86
    assert seeds_needed(summarize([0.001, -0.001, 0.0011])) == 0 or seeds_needed(summarize([1e-6, 1.0, -1.0])) == 0
