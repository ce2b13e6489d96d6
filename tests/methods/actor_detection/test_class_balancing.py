"""Eqs. 8 to 13 of MM 2022: by hand, and by drawing the sampling that they describe."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from methods.actor_detection.parts.class_balancing import (
    Balance,
    assigned_class,
    balanced_weights,
    frequency_rank,
    gap_coefficient,
    instance_probabilities,
    sampled_counts,
    sampling_probabilities,
)


def long_tailed(instances: int = 4000, classes: int = 12, seed: int = 0) -> torch.Tensor:
    """Label sets with a long tail, several labels an instance, classes in no particular order."""
    generator = np.random.default_rng(seed)
    frequency = 0.8 / np.arange(1, classes + 1)
    labels = generator.random((instances, classes)) < generator.permutation(frequency)
    return torch.from_numpy(labels.astype(np.float64))


def test_probabilities_by_hand() -> None:
    counts = torch.tensor([70.0, 20.0, 6.0, 4.0])
    assert sampling_probabilities(counts, 1.0).tolist() == pytest.approx([25 / 70, 1, 1, 1])
    assert sampling_probabilities(counts, 0.5).tolist() == pytest.approx([(25 / 70) ** 0.5, 1, 1, 1])


def test_literal_probabilities_sample_nothing() -> None:
    counts = torch.tensor([70000.0, 20000.0, 6000.0, 4000.0])
    mean_ratio = (1 + 2 / 7 + 6 / 70 + 4 / 70) / 4
    literal = sampling_probabilities(counts, 1.0, literal=True)
    assert literal.tolist() == pytest.approx((mean_ratio / counts).tolist())
    assert literal.max() < 1e-3


def test_rank_breaks_ties_by_index() -> None:
    assert frequency_rank(torch.tensor([3.0, 9.0, 3.0, 5.0])).tolist() == [2, 0, 3, 1]


def test_rarest_positive_is_assigned() -> None:
    rank = frequency_rank(torch.tensor([3.0, 9.0, 3.0, 5.0]))
    labels = torch.tensor([[0, 1, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0]])
    assert assigned_class(labels, rank).tolist() == [3, 2, -1, 1]


@pytest.mark.parametrize("keep", [True, False])
def test_instance_without_any_pseudo_label(keep: bool) -> None:
    labels = torch.tensor([[0, 0], [1, 0]])
    used = instance_probabilities(labels, torch.tensor([0.25, 1.0]), torch.tensor([0, 1]), keep_empty=keep)
    assert used.tolist() == [float(keep), 0.25]


def test_expected_counts_by_hand() -> None:
    """Three classes, five instances; the one with all three counts twice in eq. 11 and once in the exact form."""
    labels = torch.tensor([[1, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1], [0, 1, 1]], dtype=torch.float64)
    probabilities = torch.tensor([0.2, 0.5, 1.0], dtype=torch.float64)
    exact = sampled_counts(labels, probabilities, "exact")
    assert exact.tolist() == pytest.approx([0.2 + 0.2 + 0.5 + 1, 0.5 + 1 + 1, 2])
    paper = sampled_counts(labels, probabilities, "paper")
    assert paper.tolist() == pytest.approx([4 * 0.2 + 2 * 0.3 + 1 * 0.8, 3 * 0.5 + 2 * 0.5, 2])


def test_exact_form_is_the_empirical_sampling_rate() -> None:
    labels = long_tailed()
    balance = Balance.of(labels, beta=0.9, gamma=0.05, form="exact")
    chances = instance_probabilities(labels, balance.probabilities, balance.rank)
    draws = 2000
    generator = torch.Generator().manual_seed(0)
    used = torch.zeros(labels.shape[1], dtype=torch.float64)
    for _ in range(draws):
        used += labels.T @ (torch.rand(len(labels), generator=generator, dtype=torch.float64) < chances).double()
    expected = sampled_counts(labels, balance.probabilities, "exact")
    error = (labels.T @ (chances * (1 - chances)) / draws).sqrt()
    assert ((used / draws - expected).abs() <= 5 * error + 1e-9).all()
    torch.testing.assert_close(balance.gap, expected / balance.counts.mean())


def test_printed_form_overestimates_frequent_classes_only() -> None:
    labels = long_tailed()
    probabilities = sampling_probabilities(labels.sum(dim=0), 0.9)
    paper, exact = (sampled_counts(labels, probabilities, form) for form in ("paper", "exact"))
    assert (paper >= exact - 1e-9).all()
    most = labels.sum(dim=0).argmax()
    assert paper[most] > 1.1 * exact[most]
    single = torch.eye(5, dtype=torch.float64).repeat_interleave(torch.tensor([50, 20, 10, 4, 1]), dim=0)
    alone = sampling_probabilities(single.sum(dim=0), 0.9)
    torch.testing.assert_close(sampled_counts(single, alone, "paper"), single.sum(dim=0) * alone)


def test_gap_against_the_mean_and_against_the_class_itself() -> None:
    sampled, counts = torch.tensor([30.0, 20.0, 10.0]), torch.tensor([60.0, 20.0, 10.0])
    assert gap_coefficient(sampled, counts).tolist() == pytest.approx([1, 2 / 3, 1 / 3])
    assert gap_coefficient(sampled, counts, "own").tolist() == pytest.approx([0.5, 1, 1])


def test_weights_lift_what_balance_misses() -> None:
    assert balanced_weights(torch.tensor([4.0, 1.0, 0.25]), 0.5).tolist() == pytest.approx([0.5, 1, 2])
    assert balanced_weights(torch.tensor([4.0, 0.1]), 0.0).tolist() == [1, 1]


@pytest.mark.parametrize("form", ["paper", "exact"])
def test_class_without_labelled_instances_stays_finite(form: str) -> None:
    labels = torch.cat([long_tailed(300, 5), torch.zeros(300, 1, dtype=torch.float64)], dim=1)
    balance = Balance.of(labels, beta=0.9, gamma=0.05, form=form)
    assert balance.probabilities[-1] == 1
    assert torch.isfinite(balance.weights).all()
    assert balance.weights[-1] == balance.weights.max()


def test_no_labels_at_all() -> None:
    balance = Balance.of(torch.zeros(0, 3), beta=0.9, gamma=0.05)
    assert torch.isfinite(balance.weights).all()
    assert balance.probabilities.tolist() == [1, 1, 1]


def test_no_balancing_leaves_everything_as_it_is() -> None:
    balance = Balance.none(long_tailed(50, 4))
    assert balance.probabilities.tolist() == balance.weights.tolist() == [1, 1, 1, 1]
