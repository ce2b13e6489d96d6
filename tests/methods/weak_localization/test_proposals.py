"""Proposals where the reference values do not reach: scores by mean and peak, shifted windows, empty signals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from methods.weak_localization.parts.localize import Activation, NonMaximumSuppression, localize
from methods.weak_localization.parts.proposals import (
    ProposalRule,
    Runs,
    min_max,
    outer_inner_contrast,
    propose,
    ranked_runs,
    runs_above,
    upsample,
)
from methods.weak_localization.parts.sampling import (
    crop_index,
    interpolation,
    random_index,
    random_rows,
    snippet_labels,
    uniform_index,
)
from suite.errors import DataError
from suite.evaluate.segments import Segments
from tests.methods.weak_localization.conftest import videos_of


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_runs_cover_exactly_the_active_points(active):
    mask = np.array(active)
    first, last = runs_above(mask)
    covered = np.zeros(len(mask), bool)
    for begin, end in zip(first, last):
        assert mask[begin : end + 1].all()
        covered[begin : end + 1] = True
    if mask.any() and not (mask.sum() == 1 and mask[0]):
        assert np.array_equal(covered, mask)
    else:
        assert not len(first)


propose(np.zeros(2), 0.0, ProposalRule((0.5,)))  # machine code is made outside any deadline


@given(
    st.integers(0, 10_000),
    st.integers(1, 80),
    st.sampled_from([(), (0.0,), (0.2, 0.5), (0.7, 0.1, 0.4, 0.1), tuple(np.linspace(0.1, 0.9, 9))]),
    st.booleans(),
    st.booleans(),
)
def test_all_thresholds_at_once_propose_what_each_does(seed, points, thresholds, strict, zeroed):
    """Byte for byte: a run's numbers may not depend on how many thresholds are looked at together."""
    signal = np.cumsum(np.random.default_rng(seed).normal(size=points)).round(1) / 3
    found = propose(signal, 0.3, ProposalRule(thresholds, 0.25, 0.2, strict, zeroed))
    parts = []
    for level in thresholds:
        active = (signal > level if strict else signal >= level) & (signal > 0)
        first, last = runs_above(active)
        base = np.where(active, signal, 0.0) if zeroed else signal
        parts.append(Runs(first, last, outer_inner_contrast(base, first, last, 0.25) + 0.2 * 0.3))
    expected = Runs.concatenate(parts)
    for one in ("first", "last", "score"):
        assert getattr(found, one).tobytes() == getattr(expected, one).tobytes()


@given(st.lists(st.booleans(), min_size=2, max_size=40), st.integers(0, 1000))
def test_ranked_runs_agree_with_plain_loops(active, seed):
    mask, rank = np.array(active), np.random.default_rng(seed).normal(size=len(active))
    for by, function in (("mean", np.mean), ("max", np.max)):
        runs = ranked_runs(mask, rank, by)
        expected = [function(rank[begin : end + 1]) for begin, end in zip(*runs_above(mask))]
        np.testing.assert_allclose(runs.score, expected, atol=1e-12)


def test_one_position_is_repeated():
    assert np.array_equal(upsample(np.array([[2.0, 3.0]]), 3), [[2, 3], [2, 3], [2, 3]])


def test_a_channel_without_positive_value_stays_zero():
    assert not min_max(np.full((5, 1), -2.0) * 0).any()
    assert (min_max(np.array([[-3.0], [-1.0]])) <= 0).all()


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 100))
def test_sampling_stays_inside_the_video_and_in_order(length, positions, seed):
    generator = np.random.default_rng(seed)
    for index in (uniform_index(length, positions), random_index(length, positions, generator)):
        assert index.min() >= 0
        assert index.max() < length
        assert (np.diff(index) >= 0).all()
    left, right, weight = interpolation(length, positions)
    assert (right < length).all()
    assert ((weight >= 0) & (weight <= 1)).all()
    place = left + weight * (right - left)
    np.testing.assert_allclose(place, np.minimum(np.arange(positions) * length / positions, length - 1), atol=1e-9)
    crop = crop_index(length, positions, generator)
    assert len(crop) == min(length, positions)
    assert crop[-1] < length


def test_a_video_without_snippets_is_refused():
    with pytest.raises(DataError, match="no snippets"):
        uniform_index(0, 10)


def test_snippet_labels_round_half_to_even_and_include_the_end():
    inside = snippet_labels(np.array([0.5]), np.array([2.5]), np.array([1]), 6, 2, 1.0)
    assert inside[:, 1].tolist() == [True, True, True, False, False, False]
    assert not inside[:, 0].any()


def test_times_follow_the_middle_of_the_window():
    """A window longer than the stride shifts every boundary by half the difference."""
    samples = videos_of([10])
    wide = replace(samples, window=samples.stride + 20)
    activation = Activation(np.array([0]), np.ones(1), np.linspace(0, 1, 10)[:, None])

    def propose(signal, probability, rank):
        return Runs(np.array([3]), np.array([5]), np.array([0.5]))

    plain, shifted = (localize([activation], s, propose, 1, NonMaximumSuppression("none")) for s in (samples, wide))
    assert plain.start[0] == pytest.approx(3 * 0.64)
    assert plain.end[0] == pytest.approx(6 * 0.64)
    assert shifted.start[0] - plain.start[0] == pytest.approx(10 / 25)


def test_suppression_acts_inside_a_video_and_class_only():
    rows = Segments([0, 0, 0, 1], [0, 0, 1, 0], [0.0, 0.1, 0.0, 0.0], [10.0, 10.0, 10.0, 10.0], [0.9, 0.8, 0.7, 0.6])
    assert len(NonMaximumSuppression("hard", 0.5)(rows)) == 3
    decayed = NonMaximumSuppression("decay", 0.5)(rows)
    assert len(decayed) == 4
    assert decayed.score.min() < 0.1
    assert NonMaximumSuppression("none")(rows) is rows


def test_a_video_that_localizes_nothing_leaves_no_row():
    nothing = Activation(np.zeros(0, int), np.zeros(0), np.zeros((10, 0)))
    assert len(localize([nothing], videos_of([10]), lambda *_: Runs.concatenate([]), 24, NonMaximumSuppression())) == 0


@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(1, 30), st.integers(0, 100))
def test_videos_drawn_at_once_are_those_drawn_one_after_the_other(lengths, positions, seed):
    """The same numbers, and the generator is left where it would be left."""
    together, alone = np.random.default_rng(seed), np.random.default_rng(seed)
    rows = random_rows(np.array(lengths), positions, together)
    for row, length in zip(rows, lengths, strict=True):
        low = np.arange(positions) * length // positions
        high = np.append(low[1:], length - 1)
        assert np.array_equal(row, low if length == positions else alone.integers(low, high, endpoint=True))
    assert together.bit_generator.state == alone.bit_generator.state
