"""Orders of descending score beside NumPy's stable sort: short and long stretches, ties, signs of zero, infinities."""

from itertools import pairwise

import numpy as np
import pytest

from suite.evaluate.sorting import descending


@pytest.mark.parametrize("longest", [1, 3, 64, 65, 2047, 2048, 30_000])
@pytest.mark.parametrize("values", ["float64", "float32", "tied", "special", "one value"])
def test_stretches_are_ordered_as_numpy_orders_them_stably(longest, values):
    generator = np.random.default_rng(longest)
    lengths = [longest, 0, *generator.integers(0, longest + 1, size=5)]
    edges = np.concatenate([[0], np.cumsum(lengths)])
    score = {
        "float64": generator.normal(size=edges[-1]) * 10.0 ** generator.integers(-300, 300, size=edges[-1]),
        "float32": generator.normal(size=edges[-1]).astype(np.float32).astype(float),
        "tied": generator.integers(-3, 3, size=edges[-1]) / 2.0,
        "special": generator.choice([0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, -5e-324, 1.0], size=edges[-1]),
        "one value": np.full(edges[-1], 0.25),
    }[values]
    expected = [low + np.argsort(-score[low:high], kind="stable") for low, high in pairwise(edges)]
    np.testing.assert_array_equal(descending(score, edges), np.concatenate(expected))


def test_nothing_has_an_order_of_nothing():
    assert descending(np.zeros(0), np.array([0, 0])).shape == (0,)
    assert descending(np.zeros(0), np.array([0])).shape == (0,)
