"""Comparisons over several datasets against numbers by hand, and statistics against simulated truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from suite.evaluate.significance import summarize
from suite.report.across import across, critical_difference
from suite.report.build import gather
from suite.report.figures import undominated
from suite.report.spread import marks
from suite.report.views import Cell, Row, View
from suite.spec.board import MetricKey, TableSpec
from tests.report import synthetic

KEY = MetricKey("top-set")


def view(dataset: str, values: dict[str, tuple[float, ...]]) -> View:
    spec = TableSpec(title="T", datasets=(dataset,), methods=({"method": "ce"},), seeds=3)
    rows = tuple(Row(name, name, False, (Cell(numbers),), None, 3, 3) for name, numbers in values.items())
    return View(0, spec, dataset, "real", "recognition", KEY, (KEY,), rows)


def test_ranks_wins_and_means_by_hand():
    first = view("one", {"a": (0.9, 0.9, 0.91), "b": (0.5, 0.5, 0.51), "c": (0.1, 0.1, 0.11)})
    second = view("two", {"a": (0.50, 0.51, 0.52), "b": (0.50, 0.52, 0.51), "c": (0.1, 0.1, 0.11), "d": (1.0, 1.0)})
    found = across([first, second])
    assert [row.label for row in found.rows] == ["a", "b", "c"]  # d is not on both
    assert [row.rank for row in found.rows] == [1.25, 1.75, 3.0]  # a and b share a rank on the second
    assert [(row.wins, row.ties, row.losses) for row in found.rows] == [(3, 1, 0), (2, 1, 1), (0, 0, 4)]
    assert found.rows[0].mean.mean == pytest.approx((0.9033333 + 0.51) / 2)


def test_one_dataset_or_one_method_is_no_comparison():
    assert across([view("one", {"a": (1.0, 1.0, 1.0), "b": (0.5, 0.5, 0.5)})]) is None
    assert across([view(name, {"a": (1.0, 1.0, 1.0)}) for name in "xy"]) is None


def test_the_critical_difference_of_the_literature():
    """Demšar 2006, §3.2.3: four classifiers on 14 datasets, q = 2.569, CD = 1.25."""
    assert critical_difference(4, 14) == pytest.approx(2.569 * (4 * 5 / (6 * 14)) ** 0.5, abs=2e-3)


def test_methods_that_none_beats_in_both():
    known = [(1.0, 50.0, "a"), (2.0, 40.0, "b"), (2.0, 60.0, "c"), (9.0, 60.0, "d"), (10.0, 61.0, "e")]
    assert [label for *_, label in undominated(known)] == ["a", "c", "e"]


def test_intervals_cover_the_truth_as_often_as_they_say():
    generator = np.random.default_rng(0)
    for seeds in (3, 5):
        drawn = 0.6 + 0.02 * generator.standard_normal((2000, seeds))
        held = [one.low <= 0.6 <= one.high for one in map(summarize, drawn)]
        assert np.mean(held) == pytest.approx(0.95, abs=3 * (0.95 * 0.05 / 2000) ** 0.5)


def test_equal_methods_are_distinguished_no_more_often_than_the_level():
    """A whole column of equals: in at most 5 % of tables may any method look worse than the best."""
    generator, tables = np.random.default_rng(1), 400
    for methods in (3, 12):
        wrong = 0
        for _ in range(tables):
            shared = 0.05 * generator.standard_normal(3)  # what a seed does to all
            values = [tuple(0.5 + shared + 0.02 * generator.standard_normal(3)) for _ in range(methods)]
            wrong += not all(best or near for best, near in marks(values, 3, [False] * len(values)))
        assert wrong / tables < 0.05 + 3 * (0.05 * 0.95 / tables) ** 0.5


def test_a_planted_difference_is_found():
    generator = np.random.default_rng(2)
    found = 0
    for _ in range(200):
        values = [tuple(mean + 0.01 * generator.standard_normal(5)) for mean in (0.6, 0.5, 0.5)]
        decided = marks(values, 5, [False] * len(values))
        found += decided[0][0] and not any(near for _, near in decided)
    assert found == 200


def test_a_planted_leak_is_found(tmp_path):
    view = synthetic.content(tmp_path).sections[0].view
    assert [row.leak.mean for row in view.rows if row.leak is not None] == pytest.approx([0.02] * 5)


def test_the_page_compares_over_datasets(tmp_path):
    asked, ledger = synthetic.fill(tmp_path / "ledger")
    content = gather(synthetic.BOARD, asked, ledger)
    assert content.across == ()  # no table of it has two datasets
    two = replace(content, across=(across([view("one", {"a": (0.9, 0.9, 0.9), "b": (0.1, 0.1, 0.1)})] * 2),))
    from suite.report.page import render

    assert "Across datasets" in render("page.html.j2", two, files=(), plotly="")
    assert "| a | 1.00 | 2 | 0 | 0 | 90.0 |" in render("report.md.j2", two)
