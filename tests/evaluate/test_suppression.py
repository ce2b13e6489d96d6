"""Suppression: the slow reference on random segments, and what the batched groups may not mix."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.evaluate.suppression import best_rows, hard_nms, one_shot_decay, soft_nms, video_class_groups, vote
from tests.evaluate import reference

SEGMENT = st.tuples(st.integers(0, 20), st.integers(1, 8), st.integers(1, 30)).map(
    lambda row: (float(row[0]), float(row[0] + row[1]), row[2] / 32)
)
SEGMENTS = st.lists(SEGMENT, min_size=1, max_size=20)


def columns(segments):
    return (np.array(column) for column in zip(*segments))


DECAYS = {"gaussian": lambda value: math.exp(-(value**2) / 0.5), "linear": lambda value: 1 - value}


@given(SEGMENTS, st.sampled_from(sorted(DECAYS)), st.sampled_from([0.0, 0.05, 0.3]))
@settings(max_examples=100, deadline=None)
def test_soft_agrees_with_the_slow_reference(segments, decay, min_score):
    start, end, score = columns(segments)
    rows, values = soft_nms(start, end, score, decay=decay, min_score=min_score)
    expected = reference.soft_nms(segments, DECAYS[decay], min_score)
    np.testing.assert_allclose(values, [value for _, value in expected], atol=1e-12)
    assert [segments[row][:2] for row in rows] == [segments[row][:2] for row, _ in expected]


@given(SEGMENTS, st.sampled_from([0.2, 0.5, 0.9]))
@settings(max_examples=100, deadline=None)
def test_hard_agrees_with_the_slow_reference(segments, threshold):
    rows = hard_nms(*columns(segments), threshold)
    expected = reference.hard_nms(segments, threshold)
    assert [segments[row] for row in rows] == [segments[row] for row in expected]


@given(st.lists(st.tuples(st.integers(0, 3), SEGMENT), min_size=1, max_size=25))
@settings(max_examples=60, deadline=None)
def test_a_batch_is_its_groups_one_by_one(rows):
    group = np.array([row[0] for row in rows])
    start, end, score = columns([row[1] for row in rows])
    together = soft_nms(start, end, score, group=group, min_score=0.1)
    alone = []
    for key in np.unique(group):
        members = np.flatnonzero(group == key)
        kept, values = soft_nms(start[members], end[members], score[members], min_score=0.1)
        alone += list(zip(members[kept], values))
    assert list(zip(*together)) == alone
    np.testing.assert_array_equal(
        hard_nms(start, end, score, 0.3, group=group),
        np.concatenate(
            [
                np.flatnonzero(group == key)[hard_nms(*(c[group == key] for c in (start, end, score)), 0.3)]
                for key in np.unique(group)
            ]
        ),
    )


@given(SEGMENTS)
@settings(max_examples=60, deadline=None)
def test_one_shot_loses_nobody_and_lowers_only_what_overlaps(segments):
    start, end, score = columns(segments)
    rows, values = one_shot_decay(start, end, score, threshold=0.4, sigma=0.35)
    assert sorted(rows) == list(range(len(segments)))
    kept = hard_nms(start, end, score, 0.4, plus=1.0)
    np.testing.assert_array_equal(rows[: len(kept)], kept)
    np.testing.assert_array_equal(values[: len(kept)], score[kept])
    assert (values[len(kept) :] < score[rows[len(kept) :]]).all()


def test_plus_one_makes_short_neighbours_overlap():
    start, end, score = [0.0, 2.5], [2.0, 4.5], [0.9, 0.8]
    assert len(hard_nms(start, end, score, 0.05)) == 2
    assert len(hard_nms(start, end, score, 0.05, plus=1.0)) == 1


def test_voting_averages_with_score_and_overlap():
    left, right = vote([0.0], [10.0], [0.0, 2.0, 50.0], [10.0, 12.0, 60.0], [1.0, 0.5, 1.0], 0.5)
    weight = np.array([1.0, 0.5 * 8 / 12])
    assert left[0] == pytest.approx((weight * [0.0, 2.0]).sum() / weight.sum())
    assert right[0] == pytest.approx((weight * [10.0, 12.0]).sum() / weight.sum())
    flat, _ = vote([0.0], [10.0], [0.0, 2.0], [10.0, 12.0], [1.0, 0.5], 0.5, by_overlap=False)
    assert flat[0] == pytest.approx(1.0 / 1.5)
    unmoved, _ = vote([0.0], [10.0], [50.0], [60.0], [1.0], 0.5)
    assert unmoved[0] == 0.0
    grouped, _ = vote(
        [0.0, 0.0], [10.0, 10.0], [0.0, 1.0], [10.0, 11.0], [1.0, 1.0], 0.5, group=[1, 2], candidate_group=[2, 1]
    )
    assert grouped.tolist() == [1.0, 0.0]


def test_groups_and_best_rows():
    group = video_class_groups([0, 0, 1, 1], [0, 3, 0, 3])
    assert len(set(group)) == 4
    assert best_rows([0.1, 0.9, 0.5, 0.7], 1, [1, 1, 0, 0]).tolist() == [3, 1]
    assert best_rows([0.1, 0.9, 0.5], 2).tolist() == [1, 2]


def test_nothing_to_suppress():
    empty = np.zeros(0)
    assert len(hard_nms(empty, empty, empty, 0.5)) == 0
    assert [len(part) for part in soft_nms(empty, empty, empty)] == [0, 0]
    assert [len(part) for part in one_shot_decay(empty, empty, empty)] == [0, 0]


def test_inputs_stay_as_they_were():
    start, end, score = np.array([0.0, 1.0]), np.array([5.0, 6.0]), np.array([0.9, 0.8])
    soft_nms(start, end, score)
    assert start.tolist() == [0.0, 1.0]
    assert score.tolist() == [0.9, 0.8]
