"""Worth of pseudo-labels on cases computed by hand; background augmentation; batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from methods.networks.actionformer.config import ActionFormerConfig
from methods.networks.actionformer.preparation import Grid, Sample, inside_features, truncate
from methods.semi_localization.parts.background_swap import background_mask, swap_background
from methods.semi_localization.parts.batches import detector_batch, endless
from methods.semi_localization.parts.label_quality import (
    binned_overlap,
    class_imbalance,
    class_shares,
    correct,
    correlation,
    nearest_truth,
    precision_of_best,
    quality,
    rank_correlation,
)
from suite.evaluate.segments import Segments

TRUTH = Segments([0, 0, 1], [2, 0, 1], [0, 10, 0], [4, 20, 5])


def test_nearest_truth_and_quality() -> None:
    found = Segments([0, 0, 0, 2], [2, 1, 0, 0], [0, 12, 40, 0], [8, 20, 50, 5], [0.9, 0.8, 0.7, 0.6])
    row, overlap = nearest_truth(found, TRUTH)
    assert row.tolist() == [0, 1, -1, -1]
    assert overlap.tolist() == [0.5, 0.8, 0.0, 0.0]
    worth = quality(found, TRUTH)
    assert worth.class_accuracy == pytest.approx(0.25)
    assert worth.mean_tiou == pytest.approx(1.3 / 4)
    assert worth.number == 4


def test_quality_of_nothing() -> None:
    worth = quality(Segments.empty(scored=True), TRUTH)
    assert worth.number == 0
    assert np.isnan(worth.class_accuracy)
    assert quality(TRUTH, Segments.empty()).mean_tiou == 0


def test_class_shares() -> None:
    found = Segments([0, 0, 0, 1], [2, 2, 2, 1], [0] * 4, [1] * 4)
    assert class_shares(found, 4).tolist() == [0.0, 0.25, 0.75, 0.0]
    assert np.isnan(class_shares(Segments.empty(), 4)).all()
    # shares 0, 1/4, 3/4 against 1/3 each
    assert class_imbalance(found, TRUTH, 4) == pytest.approx(0.75 - 1 / 3)
    assert np.isnan(class_imbalance(found.take(np.zeros(0, dtype=int)), TRUTH, 4))


def test_correlation_ignores_infinite_values() -> None:
    overlap = np.array([0.1, 0.2, 0.3, 0.9])
    assert correlation(np.array([1.0, 2.0, 3.0, -np.inf]), overlap) == pytest.approx(1.0)
    assert np.isnan(correlation(np.ones(4), overlap))


def test_a_ranking_is_judged_by_its_order_alone() -> None:
    overlap = np.array([0.1, 0.2, 0.4, 0.8])
    assert rank_correlation(np.array([-np.inf, 1.0, 2.0, 1e9]), overlap) == pytest.approx(1.0)
    assert rank_correlation(np.array([4.0, 3.0, 2.0, np.nan]), overlap) == pytest.approx(-1.0)
    assert np.isnan(rank_correlation(np.ones(4), overlap))


def test_correct_segments_have_class_and_place() -> None:
    truth = Segments(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([0.0, 0.0, 0.0]), np.array([4.0, 4.0, 4.0]))
    found = Segments(np.array([0, 0, 0, 1]), np.array([1, 2, 0, 1]), np.zeros(4), np.array([3.0, 4.0, 1.0, 4.0]))
    right = correct(found, truth)
    assert right.tolist() == [True, False, False, False]
    assert precision_of_best(np.array([0.9, 0.1, 0.2, 0.3]), right, 0.25) == 1.0
    assert precision_of_best(np.array([0.9, 0.1, 0.2, 0.3]), right, 1.0) == 0.25
    assert np.isnan(precision_of_best(np.zeros(0), np.zeros(0, dtype=bool)))


def test_bins_hold_equally_many() -> None:
    values, overlap = np.array([4.0, 1.0, 3.0, -np.inf]), np.array([0.4, 0.1, 0.3, 0.2])
    assert binned_overlap(values, overlap, 2).tolist() == pytest.approx([0.15, 0.35])
    assert binned_overlap(values, overlap, 9).tolist() == pytest.approx([0.2, 0.1, 0.3, 0.4])


def sample(length: int, *segments: tuple[float, float], value: float = 0.0) -> Sample:
    features = np.full((length, 2), value, dtype=np.float32)
    return Sample(features, np.array(segments, dtype=np.float64).reshape(-1, 2), np.zeros(len(segments), dtype=int))


def test_background_is_swapped_outside_actions_only() -> None:
    assert background_mask(8, np.array([[3.0, 4.0]]), 1.0).tolist() == [True, True, False, False] + [False] * 2 + [
        True,
        True,
    ]
    one, other = sample(8, (3, 4), value=1.0), sample(6, (0, 2), value=5.0)
    swapped = swap_background(one, other, 1.0, np.random.default_rng(0))
    assert swapped.features[:, 0].tolist() == [5, 5, 1, 1, 1, 1, 5, 5]
    assert one.features.max() == 1.0
    full = sample(4, (0, 4), value=9.0)
    assert swap_background(one, full, 0.0, np.random.default_rng(0)) is one


def test_grid_round_trip_and_clipping() -> None:
    grid = Grid(fps=30.0, stride=4.0, window=16.0, duration=10.0)
    seconds = np.array([0.0, 3.3, 10.0])
    assert grid.to_seconds(grid.to_grid(seconds)) == pytest.approx(seconds)
    assert grid.to_grid(np.array([0.0]))[0] == pytest.approx(-2.0)  # small negatives stay
    assert grid.to_seconds(np.array([-9.0, 1e4])).tolist() == [0.0, 10.0]


def test_segments_outside_or_without_length_are_left_out() -> None:
    segments = np.array([[-1.0, 3.0], [2.0, 2.0], [9.0, 14.0], [12.0, 14.0]])
    assert inside_features(segments, 10, 0.0).tolist() == [True, False, True, False]
    assert inside_features(segments, 10, 0.5).tolist() == [True, False, False, False]


def test_truncating_a_video_without_segments_draws_once() -> None:
    draws = []

    def draw(low: int, high: int) -> int:
        draws.append((low, high))
        return high

    cut = truncate(sample(20), 8, draw)
    assert draws == [(0, 12)]
    assert len(cut.features) == 8
    assert cut.segments.shape == (0, 2)


CONFIG = ActionFormerConfig(input_dim=2, classes=3, embedding=16, heads=2, windows=(5, 5), max_length=32)


def test_batch_counts_positives_of_real_snippets() -> None:
    batch = detector_batch([sample(10, (2.0, 6.0)), sample(6)], CONFIG)
    assert batch["length"].tolist() == [10, 6]
    assert batch["instances"].tolist() == [1, 0]
    assert batch["positive_points"].unique().item() == (batch["instance"] >= 0).sum().item() > 0
    assert batch["rows"].tolist() == [2, 2]
    points = batch["classes"].shape[1]
    assert points == sum(CONFIG.computed_length(10) // stride for stride in CONFIG.strides)
    assert all(len(value) == 2 for value in batch.values())


def test_endless_batches() -> None:
    rows = np.arange(5)
    stream = endless(rows, 2, np.random.default_rng(0))
    first = np.concatenate([next(stream), next(stream)])
    assert len(set(first.tolist())) == 4
    few = endless(rows[:1], 4, np.random.default_rng(0))
    assert next(few).tolist() == next(few).tolist() == [0]


def test_two_classes_on_one_segment() -> None:
    both = Sample(np.zeros((12, 2), dtype=np.float32), np.array([[2.0, 6.0], [2.0, 6.0]]), np.array([0, 2]))
    batch = detector_batch([both], CONFIG)
    positive = batch["instance"][0] >= 0
    assert torch.equal(batch["classes"][0][positive].unique(dim=0), torch.tensor([[1.0, 0.0, 1.0]]))
