"""Multi-label metrics: properties on random clips and slow readings of the definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from suite.errors import UsageError
from suite.evaluate import multilabel

CLIPS = st.tuples(st.integers(1, 8), st.integers(2, 6), st.integers(0, 10**6))


def clips(shape) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(shape[2])
    scores = generator.integers(0, 5, shape[:2]) / 4
    truth = generator.random(shape[:2]) < 0.4
    truth[np.arange(shape[0]), generator.integers(shape[1], size=shape[0])] = True
    return scores, truth


def slow_ap(scores, labels) -> float:
    levels = sorted(set(scores), reverse=True)
    points = [(sum(labels[scores >= level]), sum(scores >= level)) for level in levels]
    area, before = 0.0, 0
    for place, (true, _) in enumerate(points):
        area += (true - before) / max(1, sum(labels)) * max(t / n for t, n in points[place:])
        before = true
    return area if sum(labels) else -1.0


@given(CLIPS)
@settings(max_examples=80, deadline=None)
def test_average_precision_agrees_with_the_slow_reference(shape):
    scores, truth = clips(shape)
    expected = [slow_ap(scores[:, c], truth[:, c]) for c in range(shape[1])]
    np.testing.assert_allclose(multilabel.average_precision(scores, truth), expected, atol=1e-12)


@pytest.mark.parametrize(
    "values",
    [
        [-1.7e308, 1.7e308, 0.0],
        [np.inf, -np.inf],
        [np.inf, 1.0, -np.inf, 1.7e308],
        [0.0, 5e-324, 1e-323],
        [1.0, np.nextafter(1.0, 2.0)],
        [0.5],
        [*np.linspace(0, 1e-6, 50), 1.0],
        [*np.linspace(-30, 30, 97)],
    ],
)
@pytest.mark.parametrize("share", [0.03, 0.5, 1.0])
def test_average_precision_of_extreme_scores(values, share):
    generator = np.random.default_rng(0)
    scores, truth = generator.choice(values, size=(200, 3)), generator.random((200, 3)) < share
    expected = [slow_ap(scores[:, c], truth[:, c]) for c in range(3)]
    np.testing.assert_allclose(multilabel.average_precision(scores, truth), expected, atol=1e-12)


@given(CLIPS, st.sampled_from([0.25, 0.5, 0.75]))
@settings(max_examples=60, deadline=None)
def test_example_based_sets(shape, threshold):
    scores, truth = clips(shape)
    for clip in range(shape[0]):
        predicted, labels = set(np.flatnonzero(scores[clip] >= threshold)), set(np.flatnonzero(truth[clip]))
        shared = len(predicted & labels)
        assert multilabel.iou_per_clip(scores, truth, threshold)[clip] == shared / len(predicted | labels)
        assert multilabel.f1_per_clip(scores, truth, threshold)[clip] == 2 * shared / (len(predicted) + len(labels))
    means = multilabel.iou_accuracy(scores, truth, threshold), multilabel.f1_measure(scores, truth, threshold)
    assert means[0] == multilabel.iou_per_clip(scores, truth, threshold).mean()
    assert means[1] == multilabel.f1_per_clip(scores, truth, threshold).mean()


@given(CLIPS)
@settings(max_examples=40, deadline=None)
def test_order_of_clips_and_monotone_maps_change_nothing(shape):
    scores, truth = clips(shape)
    order = np.random.default_rng(0).permutation(shape[0])
    for metric in (multilabel.top_set_accuracy, multilabel.top1_accuracy, multilabel.mean_average_precision):
        value = metric(scores, truth)
        assert metric(scores[order], truth[order]) == pytest.approx(value, abs=1e-12, nan_ok=True)
        assert metric(np.exp(5 * scores), truth) == pytest.approx(value, abs=1e-12, nan_ok=True)


def test_probability_is_exact_where_it_matters():
    assert multilabel.probabilities([0.0, 800.0, -800.0]).tolist() == [0.5, 1.0, 0.0]
    assert multilabel.probabilities(np.float32(30.0)) < 1.0


def test_mistakes_are_told():
    with pytest.raises(UsageError, match=r"scores \(2, 3\) and truth \(2, 2\)"):
        multilabel.top1_accuracy(np.zeros((2, 3)), np.zeros((2, 2)))
    with pytest.raises(UsageError, match="1 of the scores are not numbers"):
        multilabel.top1_accuracy([[np.nan, 0.0]], [[1, 0]])
    assert np.isnan(multilabel.grouped_iou([[0.9, 0.1]], [[1, 1]], [0]))


def masked(shape) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores, truth = clips(shape)
    return scores, truth, np.random.default_rng([shape[2], 1]).random(shape[:2]) < 0.5


@given(CLIPS, st.sampled_from([0.25, 0.5]))
@settings(max_examples=60, deadline=None)
def test_unknown_entries_are_as_if_they_were_not_there(shape, threshold):
    scores, truth, known = masked(shape)
    areas = [slow_ap(scores[known[:, c], c], truth[known[:, c], c]) for c in range(shape[1])]
    np.testing.assert_allclose(multilabel.average_precision(scores, truth, known=known), areas, atol=1e-12)
    per_clip = {
        multilabel.iou_per_clip: {"threshold": threshold},
        multilabel.f1_per_clip: {"threshold": threshold},
        multilabel.top_set_shares: {},
        multilabel.top1_hits: {},
    }
    for metric, more in per_clip.items():
        found = metric(scores, truth, known=known, **more)
        for clip in range(shape[0]):
            own = known[clip]
            if not truth[clip, own].any():
                assert np.isnan(found[clip])
                continue
            assert found[clip] == metric(scores[[clip]][:, own], truth[[clip]][:, own], **more)[0]


@given(CLIPS)
@settings(max_examples=30, deadline=None)
def test_a_mask_of_nothing_changes_nothing(shape):
    scores, truth = clips(shape)
    for metric in (multilabel.average_precision, multilabel.iou_per_clip, multilabel.top_set_shares):
        np.testing.assert_array_equal(metric(scores, truth), metric(scores, truth, known=np.ones(truth.shape)))


def test_known_entries_agree_with_sklearn_where_nothing_is_interpolated():
    """Labels whose precision falls from each positive to the next: the curve is its own envelope."""
    order = np.array([1, 1, 0, 1, 0, 0, 1, 0, 0, 0])
    generator, known = np.random.default_rng(0), np.zeros((25, 4), dtype=bool)
    scores, truth = generator.normal(size=(25, 4)), generator.random((25, 4)) < 0.5
    for column in range(4):
        rows = generator.permutation(25)[:10]
        known[rows, column], truth[rows, column] = True, order
        scores[rows, column] = -np.sort(-generator.normal(size=10))
    found = multilabel.average_precision(scores, truth, known=known)
    own = [average_precision_score(truth[k, c], scores[k, c]) for c, k in enumerate(known.T)]
    np.testing.assert_allclose(found, own, atol=1e-12)
    assert multilabel.mean_average_precision(scores, truth, known=known) == pytest.approx(np.mean(own))


def test_a_truth_with_nan_needs_a_mask():
    truth = np.array([[1.0, np.nan]])
    with pytest.raises(UsageError, match=r"1 entries of the truth are NaN: say with known="):
        multilabel.top1_hits(np.zeros((1, 2)), truth)
    assert multilabel.top1_hits(np.zeros((1, 2)), truth, ~np.isnan(truth)) == [1.0]
    with pytest.raises(UsageError, match=r"known .* must both be"):
        multilabel.top1_hits(np.zeros((1, 2)), truth, [True, False])


def test_a_mask_without_gaps_changes_nothing_even_for_clips_without_a_label() -> None:
    truth = np.array([[1, 0], [0, 0]])
    scores, known = np.array([[0.9, 0.2], [0.7, 0.1]]), np.ones((2, 2), dtype=bool)
    for metric in (multilabel.top1_accuracy, multilabel.top_set_accuracy):
        assert metric(scores, truth, known) == metric(scores, truth) == 0.5
    for metric in (multilabel.iou_accuracy, multilabel.f1_measure):
        assert metric(scores, truth, known=known) == metric(scores, truth) == 0.5
    known[1, 1] = False
    assert multilabel.top1_accuracy(scores, truth, known) == 1.0
