"""Losses of the boundary-matching network where a sigmoid has run into 0 or 1."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from methods.networks.bmn.losses import balanced_cross_entropy, saturating_log
from methods.networks.bmn.targets import Code


@pytest.mark.parametrize("code", ["opentad", "community"])
def test_saturated_probabilities_leave_gradients_finite(code: Code) -> None:
    logits = torch.tensor([-200.0, -95.0, 0.3, 40.0, 200.0], requires_grad=True)
    target = torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0])
    loss = balanced_cross_entropy(logits.sigmoid(), target, 0.5, code)
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[2] > 0


def test_saturating_log_is_the_one_of_cross_entropy() -> None:
    probability = torch.tensor([0.0, 1e-42, 1e-20, 0.3, 1.0])
    expected = -F.binary_cross_entropy(probability, torch.ones(5), reduction="none")
    torch.testing.assert_close(saturating_log(probability), expected)
