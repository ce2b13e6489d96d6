"""Curves over thresholds against the metrics one threshold at a time, and thresholds chosen by a count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.errors import UsageError
from suite.evaluate import count_threshold, multilabel, set_curve


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_curve_is_the_metric_at_every_threshold(seed: int, gaps: bool) -> None:
    draw = np.random.default_rng(seed)
    shape = draw.integers(1, 12), draw.integers(1, 7)
    scores, truth = draw.integers(-4, 5, shape) / 4, draw.random(shape) < 0.4
    known = draw.random(shape) < 0.7 if gaps else None
    curve = set_curve(scores, truth, known)
    steps = np.concatenate([np.unique(scores), draw.normal(size=20), [-9.0, 9.0]])
    iou, f1 = curve.at(steps)
    if known is not None and not multilabel.has_value(truth & known, known).any():
        assert not iou.any()
        return
    np.testing.assert_allclose(iou, [multilabel.iou_accuracy(scores, truth, s, known) for s in steps], atol=1e-12)
    np.testing.assert_allclose(f1, [multilabel.f1_measure(scores, truth, s, known) for s in steps], atol=1e-12)
    assert (np.diff(curve.thresholds) < 0).all()


@given(st.integers(0, 10**6), st.floats(0.05, 6))
@settings(max_examples=60, deadline=None)
def test_no_other_threshold_predicts_a_count_nearer_to_the_mean(seed: int, mean: float) -> None:
    draw = np.random.default_rng(seed)
    scores = draw.integers(0, 9, (draw.integers(1, 10), 5)) / 8
    found = count_threshold(scores, mean)
    off = {level: abs((scores >= level).sum(axis=1).mean() - mean) for level in np.unique(scores)}
    assert off[found] == pytest.approx(min(off.values()))


def test_scores_that_rank_all_labels_first_are_cut_exactly() -> None:
    draw = np.random.default_rng(0)
    truth = draw.random((50, 8)) < 0.3
    scores = np.where(truth, 5.0, -5.0) + draw.normal(size=truth.shape)
    cut = count_threshold(scores, truth.sum(axis=1).mean())
    np.testing.assert_array_equal(scores >= cut, truth)


@pytest.mark.parametrize(
    ("scores", "mean"), [(np.zeros((0, 3)), 1.0), (np.zeros((2, 3)), 0.0), (np.zeros((2, 3)), np.nan)]
)
def test_nothing_to_choose_from_is_told(scores: np.ndarray, mean: float) -> None:
    with pytest.raises(UsageError, match="no threshold to choose"):
        count_threshold(scores, mean)
