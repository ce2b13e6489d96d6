"""Eqs. 2 to 7 of MM 2022 by hand: thresholds, three-way labels, soft gate, penalty, gradient of the threshold."""

from __future__ import annotations

import math

import pytest
import torch

from methods.actor_detection.parts.losses import balanced_mean, pseudo_label_loss
from methods.actor_detection.parts.thresholds import (
    class_related_thresholds,
    gate_weight,
    gated_targets,
    imbalance_ratio,
    learning_status,
    threshold_penalty,
    thresholded_targets,
)

TEACHER = torch.tensor([[0.95, 0.5, 0.05], [0.9, 0.1, 0.3]], dtype=torch.float64)


def test_scores_between_the_thresholds_are_ignored() -> None:
    result = thresholded_targets(TEACHER, 0.9, 0.1)
    assert result.labels.tolist() == [[1, 0, 0], [0, 0, 0]], "0.9 itself is not above 0.9"
    assert result.negative_weight.tolist() == [[0, 0, 1], [0, 0, 0]], "0.1 itself is not below 0.1"


def test_positive_wins_where_both_thresholds_hold() -> None:
    result = thresholded_targets(torch.tensor([[0.08]]), 0.05, 0.1)
    assert result.labels.item() == 1
    assert result.negative_weight.item() == 0


def test_thresholds_follow_class_frequency() -> None:
    ratio = imbalance_ratio(torch.tensor([100.0, 10.0, 0.0]))
    assert ratio.tolist() == pytest.approx([1, 0.1, 0.01]), "a class without instances counts as one"
    concave, linear, convex = (
        class_related_thresholds(ratio, 0.8, mapping) for mapping in ("concave", "linear", "convex")
    )
    assert concave.tolist() == pytest.approx([0.8, 0.8 * 0.1**0.1, 0.8 * 0.01**0.1])
    assert linear.tolist() == pytest.approx([0.8, 0.08, 0.008])
    assert convex.tolist() == pytest.approx([0.8, 0.8 * 0.1 / 1.9, 0.8 * 0.01 / 1.99])
    clamped = class_related_thresholds(ratio, 0.8, "linear", tau_negative=0.1)
    assert clamped.tolist() == pytest.approx([0.8, 0.1, 0.1])


def test_sigmoid_weight_rises_between_the_values_the_paper_names() -> None:
    weights = gate_weight(torch.tensor([[0.3, 0.5, 0.7]]), torch.tensor(0.5), 20)
    assert weights.tolist()[0] == pytest.approx([1 / (1 + math.exp(4)), 0.5, 1 / (1 + math.exp(-4))])


def test_penalty_is_smallest_at_one_half() -> None:
    values = threshold_penalty(torch.tensor([0.2, 0.5, 0.9, 1.0], dtype=torch.float64))
    assert values.tolist() == pytest.approx([2.009, 1 + math.log(2), 1.905, 2.0], abs=1e-3)
    grid = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)
    assert grid[threshold_penalty(grid).argmin()].item() == pytest.approx(0.5)


def test_hard_gate_keeps_the_labels_and_softens_the_weight() -> None:
    thresholds = torch.tensor([0.9, 0.4, 0.2], dtype=torch.float64)
    result = gated_targets(TEACHER, thresholds, 0.1, 20)
    assert result.labels.tolist() == [[1, 1, 0], [0, 0, 1]]
    assert result.positive_weight[0, 0].item() == pytest.approx(1 / (1 + math.exp(-1)))
    assert (result.positive_weight[result.labels > 0] > 0.5).all()
    assert result.negative_weight[0, 2] == 1


def test_soft_gate_takes_all_that_is_not_negative() -> None:
    thresholds = torch.full((3,), 0.9, dtype=torch.float64)
    result = gated_targets(TEACHER, thresholds, 0.1, 20, gate="soft")
    assert result.labels.tolist() == [[1, 1, 0], [1, 1, 1]]
    assert result.negative_weight.tolist() == [[0, 0, 1], [0, 0, 0]]
    assert result.positive_weight[0, 1].item() == pytest.approx(1 / (1 + math.exp(8)))


@pytest.mark.parametrize("gate", ["hard", "soft"])
def test_classification_loss_only_ever_raises_a_threshold(gate: str) -> None:
    """d l_cls / d T = a w (1 - w) y log pred_s <= 0: descent raises T; the penalty is the only counterforce."""
    generator = torch.Generator().manual_seed(3)
    teacher = torch.rand(50, 4, generator=generator, dtype=torch.float64)
    logits = torch.randn(50, 4, generator=generator, dtype=torch.float64)
    thresholds = torch.tensor([0.3, 0.5, 0.7, 0.9], dtype=torch.float64, requires_grad=True)
    pseudo = gated_targets(teacher, thresholds, 0.1, 20, gate=gate)
    balanced_mean(pseudo_label_loss(logits, pseudo)).backward()
    weight = gate_weight(teacher, thresholds.detach(), 20)
    by_hand = 20 * weight * (1 - weight) * pseudo.labels * torch.nn.functional.logsigmoid(logits)
    torch.testing.assert_close(thresholds.grad, by_hand.sum(dim=0) / by_hand.numel())
    assert (thresholds.grad < 0).all()


def test_loss_of_each_kind_of_entry() -> None:
    logits = torch.tensor([[2.0, -1.0, 0.5]], dtype=torch.float64)
    loss = pseudo_label_loss(
        logits, thresholded_targets(torch.tensor([[0.95, 0.02, 0.5]], dtype=torch.float64), 0.9, 0.1)
    )
    assert loss.tolist()[0] == pytest.approx([math.log1p(math.exp(-2)), math.log1p(math.exp(-1)), 0])


def test_learning_status_warms_up_with_the_unused() -> None:
    confident = torch.tensor([[1, 1], [1, 0], [0, 0], [0, 0], [0, 0]], dtype=torch.bool)
    assert learning_status(confident, people=5).tolist() == pytest.approx([2 / 3, 1 / 3]), "three unused"
    assert learning_status(confident[:2], people=2).tolist() == pytest.approx([1, 0.5])
    assert learning_status(torch.zeros(0, 2, dtype=torch.bool), people=0).tolist() == [0, 0]
