"""Lookups by table and by search agree, whatever the ids."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.evaluate.lookup import distinct, group_rows, pair_keys, positions, ranked_rows, stable_descending

DENSE = st.lists(st.integers(-3, 9), max_size=20)
SPARSE = st.lists(st.sampled_from([-(2**40), -7, 0, 3, 2**33, 2**50]), max_size=20)
IDS = st.one_of(DENSE, SPARSE).map(lambda ids: np.array(ids, dtype=np.int64))


@given(IDS, IDS)
@settings(max_examples=80, deadline=None)
def test_distinct_and_positions(first, second):
    known = distinct(first, second)
    np.testing.assert_array_equal(known, np.unique(np.concatenate([first, second])))
    place = positions(first, known)
    np.testing.assert_array_equal(known[place], first)
    other = positions(first, np.unique(second))
    np.testing.assert_array_equal(other >= 0, np.isin(first, second))


@given(IDS, IDS)
@settings(max_examples=80, deadline=None)
def test_group_rows(keys, others):
    ordered = np.sort(others)
    for key, low, high in zip(keys, *group_rows(keys, ordered)):
        assert (ordered[low:high] == key).all()
        assert high - low == (others == key).sum()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_pair_keys_are_equal_exactly_for_equal_pairs(pairs):
    first, second = (np.array(column, dtype=np.int64) for column in zip(*pairs))
    keys, again = pair_keys(first, second, first[::-1], second[::-1])
    np.testing.assert_array_equal(keys, again[::-1])
    assert len(set(keys)) == len(set(pairs))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 3)), max_size=25))
@settings(max_examples=80, deadline=None)
def test_ranked_rows_is_a_full_sort(rows):
    label, score, key = (np.array([row[k] for row in rows], dtype=np.int64) for k in range(3))
    chosen = np.arange(0, len(rows), 2)
    expected = sorted(chosen, key=lambda row: (label[row], -score[row], key[row], row))
    assert ranked_rows(chosen, label, score.astype(float), (key,)).tolist() == expected


@given(st.integers(0, 10_000), st.sampled_from([(30,), (7, 12), (4, 1), (1, 0), (200,)]), st.sampled_from([0, 1, 6]))
@settings(max_examples=80, deadline=None)
def test_stable_descending_keeps_the_order_of_equal_scores(seed, shape, decimals):
    draws = np.random.default_rng(seed)
    scores = draws.normal(size=shape).round(decimals)
    scores = np.where(draws.random(shape) < 0.1, -np.inf, scores)  # and zeros of both signs among the rounded ones
    np.testing.assert_array_equal(stable_descending(scores), np.argsort(-scores, axis=-1, kind="stable"))
