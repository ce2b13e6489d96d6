"""Neighbours against brute force, ties, votes, and the approximate search."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from methods.recognition.parts import neighbour_cells, neighbours
from methods.recognition.parts.neighbours import (
    approximate,
    class_confusion,
    label_counts,
    nearest,
    pseudo_labels,
    recall,
    votes_needed,
)
from suite.errors import UsageError


def _brute(source: np.ndarray, k: int) -> np.ndarray:
    distances = cdist(source.astype(np.float64), source.astype(np.float64), "sqeuclidean")
    np.fill_diagonal(distances, np.inf)
    return np.lexsort((np.broadcast_to(np.arange(len(source)), distances.shape), distances), axis=1)[:, :k]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(2, 80),
    grid=st.sampled_from([1, 2, 50]),
    far=st.sampled_from([0, 900]),
)
def test_agrees_with_brute_force(seed: int, rows: int, grid: int, far: int) -> None:
    """On a coarse grid most distances tie, and many rows are duplicates; far from the origin single precision blurs."""
    generator = np.random.default_rng(seed)
    source = (generator.integers(-grid, grid + 1, (rows, 3)) + far).astype(np.float32)
    k = int(generator.integers(1, rows))
    np.testing.assert_array_equal(nearest(source, k), _brute(source, k))


def test_distances_below_single_precision_are_told_apart() -> None:
    """Two rows differ from the query by 1 and by 1 + 2⁻²⁰, at a squared length of 10⁶: float32 sums cannot tell."""
    query = np.full((1, 4), 1000.0, dtype=np.float32)
    offsets = np.zeros((40, 4), dtype=np.float32)
    offsets[:, 0] = 1 + np.arange(40)[::-1] * 2.0**-13
    source = query + offsets
    np.testing.assert_array_equal(nearest(source, 5, query)[0], [39, 38, 37, 36, 35])


def test_identical_rows_go_by_number() -> None:
    source = np.ones((200, 8), dtype=np.float32)
    found = nearest(source, 3)
    np.testing.assert_array_equal(found[0], [1, 2, 3])
    np.testing.assert_array_equal(found[150], [0, 1, 2])


def test_some_rows_only() -> None:
    source = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    rows = np.array([7, 3, 59])
    np.testing.assert_array_equal(nearest(source, 4, rows=rows), nearest(source, 4)[rows])


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    source = np.random.default_rng(4).integers(0, 4, (90, 3)).astype(np.float32)
    whole = nearest(source, 7)
    monkeypatch.setattr(neighbours, "BLOCK", 16)
    np.testing.assert_array_equal(nearest(source, 7), whole)


def test_half_precision_features_are_widened_first() -> None:
    source = (1000 + np.random.default_rng(5).normal(size=(80, 4)) * 8).astype(np.float16)
    np.testing.assert_array_equal(nearest(source, 5), _brute(source.astype(np.float32), 5))


def test_cosine_ignores_length() -> None:
    generator = np.random.default_rng(1)
    source = generator.normal(size=(50, 6))
    scaled = source * generator.uniform(0.1, 10, (50, 1))
    np.testing.assert_array_equal(nearest(source, 5, metric="cosine"), nearest(scaled, 5, metric="cosine"))


@pytest.mark.parametrize("k", [0, 10, -1])
def test_too_many_neighbours_are_refused(k: int) -> None:
    with pytest.raises(UsageError, match="choose 1 to 9"):
        nearest(np.zeros((10, 2)), k)


def test_approximate_search_reaches_the_exact_one_with_all_cells() -> None:
    source = np.random.default_rng(2).normal(size=(400, 8)).astype(np.float32)
    exact = nearest(source, 10)
    np.testing.assert_array_equal(approximate(source, 10, probes=10_000), exact)
    few = recall(approximate(source, 10, probes=1), exact)
    assert 0.1 < few < 0.95
    assert few < recall(approximate(source, 10, probes=4), exact)


def test_of_the_rows_in_the_cells_the_nearest_are_found() -> None:
    """What is found with more cells is never farther; rows whose cells held too few are exact from the start."""
    source = np.random.default_rng(5).normal(size=(900, 40)).astype(np.float32)
    exact, before, whole = nearest(source, 5), np.full((900, 5), np.inf), np.zeros(900, dtype=bool)
    for probes in (1, 2, 5, 30):
        found = approximate(source, 5, probes)
        distance = np.linalg.norm(source[:, None].astype(np.float64) - source[found], axis=2)
        fallen = (distance > before + 1e-12).any(axis=1)
        assert (np.diff(distance, axis=1) >= 0).all() and not fallen[~whole].any()
        before, whole = distance, (found == exact).all(axis=1)
    np.testing.assert_array_equal(found, exact)


def test_no_cell_holds_much_more_than_its_share() -> None:
    """Centres amid many groups of rows would be the second nearest of nearly all rows."""
    generator = np.random.default_rng(7)
    groups = generator.standard_normal((400, 256), dtype=np.float32)
    rows = np.repeat(groups, 16, axis=0) + generator.standard_normal((6400, 256), dtype=np.float32)
    cells = np.bincount(_cells_of(rows, 80), minlength=80)
    assert cells.max() <= 2 * 6400 / 80 < np.bincount(_cells_of(rows, 80, divided=0)).max()


def _cells_of(rows: np.ndarray, cells: int, divided: int = neighbour_cells.DIVIDED) -> np.ndarray:
    """(N,) the cell of each row, its centres ``divided`` so often at most."""
    seen = torch.from_numpy(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbour_cells, "DIVIDED", divided)
        return neighbour_cells._nearest(seen, neighbour_cells._centres(seen, cells), 1)[:, 0]


@pytest.mark.parametrize("cut", [1, 100, 449])
def test_a_search_does_not_depend_on_the_parts_that_are_held(cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    source = np.random.default_rng(6).normal(size=(450, 12)).astype(np.float32)
    whole = nearest(source, 7)
    monkeypatch.setattr(neighbours, "HELD", cut)
    np.testing.assert_array_equal(nearest(source, 7), whole)


def test_approximate_rows_never_contain_themselves_or_gaps() -> None:
    source = np.repeat(np.random.default_rng(3).normal(size=(30, 4)), 4, axis=0).astype(np.float32)
    found = approximate(source, 12, probes=1)
    assert found.shape == (120, 12) and (found >= 0).all()
    assert not (found == np.arange(120)[:, None]).any()


def test_recall_counts_sets() -> None:
    assert recall(np.array([[1, 2], [3, 4]]), np.array([[2, 1], [4, 5]])) == 0.75


@pytest.mark.parametrize(
    ("k", "tau", "votes"),
    [(10, 0.2, 3), (10, 0.3, 4), (15, 0.1, 2), (5, 0.4, 3), (30, 0.1, 4), (1, 0.0, 1), (3, 1.0, 4)],
)
def test_votes(k: int, tau: float, votes: int) -> None:
    assert votes_needed(k, tau) == votes


@given(st.integers(1, 300), st.integers(0, 300))
def test_a_share_is_never_above_itself(k: int, count: int) -> None:
    """τ written as the very fraction count / K asks for one vote more."""
    count = min(count, k)
    assert votes_needed(k, count / k) == count + 1


def test_pseudo_labels_leave_out_the_own_label_but_count_its_votes() -> None:
    counts = np.array([[8, 2, 0], [1, 0, 9]])
    labels = np.array([0, 2])
    np.testing.assert_array_equal(pseudo_labels(counts, labels, 10, 0.1), [[False, True, False], [False, False, False]])


def test_settings_by_row() -> None:
    neighbours = np.array([[1, 2, 3], [0, 2, 3]])
    labels = np.array([0, 1, 1, 2])
    counts = label_counts(neighbours, labels, 3, np.array([1, 3]))
    np.testing.assert_array_equal(counts, [[0, 1, 0], [1, 1, 1]])
    found = pseudo_labels(counts, labels[:2], np.array([1, 3]), np.array([0.5, 0.5]))
    np.testing.assert_array_equal(found, [[False, True, False], [False, False, False]])


def test_confusion_of_a_class_without_rows_is_zero() -> None:
    confusion = class_confusion(np.array([[3, 1], [1, 3]]), np.array([0, 0]), 2)
    np.testing.assert_allclose(confusion, [[0.5, 0.5], [0, 0]])
