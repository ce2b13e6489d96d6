"""Losses of actor detection: reduction, masks, the softmax over poses at extremes, the distribution-balanced loss."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from methods.actor_detection.parts.losses import (
    action_probabilities,
    balanced_mean,
    log_probabilities,
    multi_label_loss,
)
from methods.actor_detection.parts.rebalanced_loss import Rebalancing, Tolerance, distribution_balanced_loss


def test_masked_instances_stay_in_the_denominator() -> None:
    losses = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    mask, weights = torch.tensor([True, False, True]), torch.tensor([1.0, 0.5])
    assert balanced_mean(losses, mask, weights).item() == pytest.approx((1 + 1 + 5 + 3) / 6)


def test_batch_without_instances_gives_zero_with_a_gradient() -> None:
    logits = torch.zeros(0, 3, requires_grad=True)
    loss = balanced_mean(multi_label_loss(logits, torch.zeros(0, 3)), torch.zeros(0), torch.ones(3))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.shape == (0, 3)


@pytest.mark.parametrize("poses", [0, 3])
def test_log_probabilities_are_those_of_the_probabilities(poses: int) -> None:
    logits = torch.randn(20, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    inside, outside = log_probabilities(logits, poses)
    probabilities = action_probabilities(logits, poses)
    torch.testing.assert_close(inside.exp(), probabilities)
    torch.testing.assert_close(outside.exp(), 1 - probabilities)


@pytest.mark.parametrize("poses", [0, 3])
def test_extreme_logits_stay_finite(poses: int) -> None:
    logits = torch.tensor([[80.0, -80.0, 80.0, -80.0], [-200.0, 200.0, 0.0, 200.0]], requires_grad=True)
    loss = multi_label_loss(logits, torch.tensor([[0.0, 1, 0, 1], [1, 0, 1, 0]]), poses).mean()
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


def test_at_most_one_pose_is_likely_under_the_softmax() -> None:
    logits = torch.randn(50, 8, generator=torch.Generator().manual_seed(1)) * 4
    assert ((action_probabilities(logits, 5)[:, :5] > 0.5).sum(dim=1) <= 1).all()


def test_rebalanced_weights_by_hand() -> None:
    counts, targets = torch.tensor([10.0, 2.0]), torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    ratio = [[0.1 / 0.6, 0.5 / 0.6], [1.0, 5.0], [0.0, 0.0]]
    expected = [[0.1 + 1 / (1 + math.exp(-10 * (r - 0.2))) for r in row] for row in ratio]
    torch.testing.assert_close(Rebalancing().weights(targets, counts, 12), torch.tensor(expected))


def test_distribution_balanced_loss_without_its_parts_is_weighted_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(2)
    logits, targets = torch.randn(9, 4, generator=generator), (torch.rand(9, 4, generator=generator) < 0.4).float()
    counts = targets.sum(dim=0)
    none = Tolerance(kappa=0.0, scale=1.0, focusing=0.0)
    plain = distribution_balanced_loss(logits, targets, counts, 9, Rebalancing(), none)
    weights = Rebalancing().weights(targets, counts, 9)
    expected = F.binary_cross_entropy_with_logits(logits, targets, reduction="none") * weights
    torch.testing.assert_close(plain, expected)


def test_negative_tolerance_flattens_easy_negatives_and_keeps_the_prior() -> None:
    logits = torch.tensor([[1.5]], requires_grad=True)
    smooth = Rebalancing()
    stretched = Tolerance(kappa=0.1, scale=2.0, focusing=0.0)
    loss = distribution_balanced_loss(logits, torch.zeros(1, 1), torch.tensor([5.0]), 10, smooth, stretched)
    assert loss.item() == pytest.approx(math.log1p(math.exp(3.0)) / 2 * (0.1 + 1 / (1 + math.exp(2))), rel=1e-5)
    zero, one, plain = torch.zeros(1, 1), torch.ones(1, 1), Tolerance(focusing=0.0)
    rare, common = (
        distribution_balanced_loss(zero, one, torch.tensor([count]), 1000, smooth, plain) for count in (1.0, 500.0)
    )
    assert rare > common
