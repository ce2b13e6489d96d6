"""Marks of runs, from curves whose marks are known."""

from __future__ import annotations

import polars as pl
import pytest

from suite.results.marks import MEANINGS, marks, sentences


def curves(run: str, metric: str, *values: float, split: str = "analysis") -> pl.DataFrame:
    """One curve; steps begin again in the second half, as in a second phase."""
    steps = [place % max(1, len(values) // 2) for place in range(len(values))]
    return pl.DataFrame({"run": run, "step": steps, "split": split, "metric": metric, "value": values})


@pytest.mark.parametrize(
    ("metric", "values", "marked"),
    [
        ("collapsed", (0.0, 1.0, 1.0), True),
        ("collapsed", (1.0, 1.0, 1.0, 0.0), False),  # healed: the last point counts, not the greatest step
        ("no pseudo-labels", (1.0, 1.0), True),
        ("no pseudo-labels", (1.0, 0.0, 1.0), False),  # one epoch had some
        ("T_pos purity", (1.0, 1.0), False),
    ],
)
def test_which_curves_earn_a_mark(metric: str, values: tuple[float, ...], marked: bool) -> None:
    found = marks(curves("a", metric, *values))
    assert found.rows() == ([("a", metric)] if marked else [])


def test_runs_apart_and_only_analyses() -> None:
    several = pl.concat(
        [
            curves("b", "collapsed", 1.0),
            curves("a", "collapsed", 0.0),
            curves("a", "no pseudo-labels", 1.0),
            curves("c", "collapsed", 1.0, split="train"),
        ]
    )
    assert marks(several).rows() == [("a", "no pseudo-labels"), ("b", "collapsed")]
    assert marks(several.clear()).is_empty()


def test_sentences_say_the_mark_and_its_meaning() -> None:
    assert sentences(curves("a", "collapsed", 1.0)) == [f"collapsed: {MEANINGS['collapsed']}."]
