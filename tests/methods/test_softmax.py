"""Softmax over few classes: torch's numbers and gradients, whatever the shape."""

from __future__ import annotations

import pytest
import torch
from torch.func import vmap

from methods.networks.softmax import LEAST, class_softmax


@pytest.mark.parametrize("shape", [(7, 5), (2, 3, 11, 4), (1, 1), (0, 3), (9, LEAST - 1), (9, LEAST), (6, 40)])
def test_numbers_and_gradients_are_torchs(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    logits, weight = 30 * torch.randn(shape), torch.randn(shape)
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    one, other = class_softmax(ours), theirs.softmax(dim=-1)
    torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)
    (one * weight).sum().backward()
    (other * weight).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-6, atol=1e-6)


def test_scores_that_are_masked_have_no_share() -> None:
    logits = torch.tensor([[0.0, -torch.inf, 0.0]])
    assert class_softmax(logits).tolist() == [[0.5, 0.0, 0.5]]


@pytest.mark.parametrize("classes", [4, 5, 10, 15])
def test_a_row_is_the_same_whatever_stands_beside_it(classes: int) -> None:
    logits, threads = torch.randn(24_001, classes), torch.get_num_threads()
    whole = class_softmax(logits)
    try:
        torch.set_num_threads(3)
        assert torch.equal(class_softmax(logits), whole)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(class_softmax(logits[11:5000]), whole[11:5000])


def test_half_precision_is_torchs() -> None:
    logits = torch.randn(5, 4, dtype=torch.bfloat16)
    assert torch.equal(class_softmax(logits), logits.softmax(dim=-1))


def test_rows_of_a_stack_are_each_their_own() -> None:
    stack = torch.randn(3, 20, 4)
    torch.testing.assert_close(vmap(class_softmax)(stack), stack.softmax(dim=-1))


def test_rows_that_do_not_lie_in_order_are_taken() -> None:
    logits = torch.randn(4, 6, 8).transpose(1, 2)
    torch.testing.assert_close(class_softmax(logits), logits.softmax(dim=-1))
