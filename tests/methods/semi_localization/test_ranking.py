"""Ranking, filtering and consistency by cases small enough to compute by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from methods.semi_localization.parts.consistency import temporal_consistency
from methods.semi_localization.parts.ranking import (
    adaptive_filter,
    adaptive_quota,
    boundary_ambiguity,
    neighbour_points,
    reliability,
    threshold_filter,
    top_filter,
)


def grid(*levels: tuple[int, int]) -> torch.Tensor:
    """Points of levels given as (stride, count)."""
    rows = [[i * stride, 0.0, 9.0, stride] for stride, count in levels for i in range(count)]
    return torch.tensor(rows, dtype=torch.float32)


def test_neighbours_stay_on_their_level_and_inside() -> None:
    points = grid((1, 8), (2, 4))
    valid = torch.ones(12, dtype=torch.bool)
    valid[4] = False
    segments, origin = torch.tensor([[1.5, 5.0], [1.5, 5.0]]), torch.tensor([3, 9])
    inside = neighbour_points(points, valid, segments, origin)
    assert inside[0].nonzero().flatten().tolist() == [2, 3, 5]  # 4 is padding
    assert inside[1].nonzero().flatten().tolist() == [9, 10]  # positions 2 and 4
    centre = neighbour_points(points, valid, segments, origin, "centre")
    assert centre[0].nonzero().flatten().tolist() == [2, 3]  # |p - 3.25| < 1.5
    window = neighbour_points(points, valid, segments, origin, "window", window=1)
    assert window[0].nonzero().flatten().tolist() == [2, 3]
    assert window[1].nonzero().flatten().tolist() == [8, 9, 10]


def test_ambiguity_by_hand() -> None:
    # starts 0, 2, 4: variance 8/3; ends 10, 10, 13: variance 2; duration 10
    boundaries = torch.tensor([[0.0, 10.0], [2.0, 10.0], [4.0, 13.0], [99.0, 99.0]])
    neighbours = torch.tensor([[True, True, True, False]])
    duration = torch.tensor([10.0])
    assert boundary_ambiguity(boundaries, neighbours, duration).item() == pytest.approx((8 / 3 + 2) / 10, rel=1e-5)
    std = boundary_ambiguity(boundaries, neighbours, duration, "std").item()
    assert std == pytest.approx(((8 / 3) ** 0.5 + 2**0.5) / 10, rel=1e-5)


def test_ambiguity_floor_and_loners() -> None:
    boundaries = torch.tensor([[1.0, 5.0], [1.0, 5.0], [0.0, 4.0]])
    neighbours = torch.tensor([[True, True, False], [False, False, True], [False, False, False]])
    duration = torch.tensor([4.0, 4.0, 4.0])
    found = boundary_ambiguity(boundaries, neighbours, duration)
    assert found[0].item() == pytest.approx(4e-3)  # no variance at all: floor times duration
    assert torch.isinf(found[1:]).all()  # one neighbour or none says nothing
    assert boundary_ambiguity(boundaries, neighbours, duration, "std")[0].item() == pytest.approx(1e-3)
    rank = reliability(np.array([0.5, 0.9, 0.9]), found.numpy())
    assert rank[0] == pytest.approx(125.0)
    assert rank[1:].tolist() == [0.0, 0.0]


def test_variance_depends_on_the_unit_and_std_does_not() -> None:
    generator = torch.Generator().manual_seed(0)
    boundaries = torch.rand(5, 2, generator=generator) + torch.tensor([0.0, 4.0])
    neighbours = torch.ones(1, 5, dtype=torch.bool)
    for spread, factor in (("variance", 3.0), ("std", 1.0)):
        one = boundary_ambiguity(boundaries, neighbours, torch.tensor([4.0]), spread)  # type: ignore[arg-type]
        three = boundary_ambiguity(3 * boundaries, neighbours, torch.tensor([12.0]), spread)  # type: ignore[arg-type]
        assert three.item() == pytest.approx(factor * one.item(), rel=1e-4)


def test_quota_by_hand() -> None:
    labels = np.array([0] * 20 + [1] * 9 + [3])
    # 30 predictions, N_pos 15: 10, 4.5 -> 5, 0, 0.5 -> 1
    assert adaptive_quota(labels, 4, 15).tolist() == [10, 5, 0, 1]
    assert adaptive_quota(labels, 4, 5).tolist() == [3, 2, 0, 0]  # 3.33, 1.5 up, 0.17 dropped
    assert adaptive_quota(np.array([2, 2, 0]), 4, 15).tolist() == [1, 0, 2, 0]  # too few to choose from
    assert adaptive_quota(np.zeros(0, dtype=np.int64), 4, 15).tolist() == [0, 0, 0, 0]


def test_adaptive_filter_keeps_the_best_of_each_class() -> None:
    labels = np.array([1, 0, 0, 1, 0, 0])
    rank = np.array([0.1, 0.9, 0.2, 0.8, 0.7, 0.3])
    assert adaptive_filter(labels, rank, 2, 3).tolist() == [1, 3, 4]  # two of class 0, one of class 1
    assert adaptive_filter(labels, rank, 2, 6).tolist() == [0, 1, 2, 3, 4, 5]


@given(st.lists(st.integers(0, 4), max_size=60), st.integers(1, 30), st.integers(0, 10_000))
def test_adaptive_filter_properties(classes: list[int], n_pos: int, seed: int) -> None:
    labels = np.array(classes, dtype=np.int64)
    rank = np.random.default_rng(seed).permutation(len(labels)).astype(np.float64)
    kept = adaptive_filter(labels, rank, 5, n_pos)
    quota = adaptive_quota(labels, 5, n_pos)
    assert np.array_equal(np.bincount(labels[kept], minlength=5), quota)
    assert quota.sum() <= max(n_pos + 5, 0)  # rounding adds at most half a label a class
    dropped = np.setdiff1d(np.arange(len(labels)), kept)
    for label in range(5):
        best, rest = rank[kept][labels[kept] == label], rank[dropped][labels[dropped] == label]
        assert not len(best) or not len(rest) or best.min() > rest.max()


def test_rival_filters() -> None:
    score = np.array([0.3, 0.31, 0.9])
    assert threshold_filter(score, 0.3).tolist() == [1, 2]
    assert top_filter(score, 2).tolist() == [1, 2]
    assert top_filter(score, 10).tolist() == [0, 1, 2]


def consistency(boundaries: list[list[list[float]]], stride: list[int], instance: list[list[int]]) -> torch.Tensor:
    owners = torch.tensor(instance)
    counts = owners.max(1).values + 1
    return temporal_consistency(
        torch.tensor(boundaries, dtype=torch.float32), torch.tensor(stride, dtype=torch.float32), owners, counts
    )


def test_consistency_by_hand() -> None:
    # one video, one action over three snippets: |1-0|+|9-9| and |1-1|+|12-9|, averaged over two pairs
    assert consistency([[[0, 9], [1, 9], [1, 12]]], [1, 1, 1], [[0, 0, 0]]).item() == pytest.approx((1 + 3) / 2)
    # in strides of the level
    assert consistency([[[0, 9], [1, 9], [1, 12]]], [2, 2, 2], [[0, 0, 0]]).item() == pytest.approx(1.0)
    # two actions: the mean of theirs; a lone snippet adds nothing but counts
    two = consistency([[[0, 9], [1, 9], [5, 6]]], [1, 1, 1], [[0, 0, 1]])
    assert two.item() == pytest.approx(0.5)
    # a second video without pseudo-labels halves the mean
    both = consistency([[[0, 9], [1, 9]], [[0, 0], [7, 7]]], [1, 1], [[0, 0], [-1, -1]])
    assert both.item() == pytest.approx(0.5)


def test_consistency_does_not_join_levels() -> None:
    loss = consistency([[[0, 8], [1, 8], [50, 90], [50, 92]]], [1, 1, 2, 2], [[0, 0, 0, 0]])
    assert loss.item() == pytest.approx((1 + 1) / 2)  # one cell on level 1, two cells of stride 2


def test_consistency_skips_snippets_of_other_actions() -> None:
    loss = consistency([[[0, 8], [3, 4], [2, 8]]], [1, 1, 1], [[0, 1, 0]])
    assert loss.item() == pytest.approx(2 / 2)


def test_consistency_gradients_reach_both_snippets() -> None:
    boundaries = torch.tensor([[[0.0, 9.0], [1.0, 9.0]]], requires_grad=True)
    temporal_consistency(boundaries, torch.ones(2), torch.zeros(1, 2, dtype=torch.long), torch.tensor([1])).backward()
    assert boundaries.grad is not None
    assert boundaries.grad[0, :, 0].tolist() == [-1.0, 1.0]


def test_consistency_of_nothing_is_zero() -> None:
    boundaries = torch.rand(2, 3, 2, requires_grad=True)
    loss = temporal_consistency(boundaries, torch.ones(3), torch.full((2, 3), -1), torch.zeros(2, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0
    assert boundaries.grad is not None
    assert not boundaries.grad.any()
