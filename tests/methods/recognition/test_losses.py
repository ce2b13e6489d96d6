"""What the losses do beyond the golden cases: packing, their optima, the baselines that have no released reference."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.recognition.parts import losses

B, C = 6, 7


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    logits = 3 * torch.randn(B, C, generator=generator, dtype=torch.float64)
    target = losses.one_hot(torch.arange(B) % C, C, logits)
    pseudo = (torch.rand(B, C, generator=generator) < 0.4) & (target == 0)
    return logits, target, pseudo


PACKED = {
    "gamma": lambda z, t, c: losses.weak_assume_negative(z, t, c),
    "epsilon": lambda z, t, c: losses.label_smoothing(z, t, c, "paper"),
    "negative": lambda z, t, c: losses.negative_label_smoothing(z, t, c),
    "focal": lambda z, t, c: losses.focal(z, t, c, 3 * c),
    "entropy": lambda z, t, c: losses.entropy_maximization(z, t, c),
    "apl": lambda z, t, c: losses.entropy_with_soft_negatives(z, t, z.detach().sigmoid(), t == 0, c, c),
    "cardinality": lambda z, t, c: losses.joint_estimation(z, z.detach().flip(0), t, c),
}


@pytest.mark.parametrize("name", PACKED)
def test_constants_may_be_packed(name: str, batch: tuple[torch.Tensor, ...]) -> None:
    logits, target, _ = batch
    constants = torch.tensor([0.05, 0.2, 0.9], dtype=torch.float64)
    packed = torch.func.vmap(lambda c: torch.func.grad(lambda z: PACKED[name](z, target, c))(logits))(constants)
    for gradient, constant in zip(packed, constants.tolist(), strict=True):
        one = torch.func.grad(lambda z: PACKED[name](z, target, constant))(logits)  # noqa: B023
        torch.testing.assert_close(gradient, one)


def test_packed_networks_have_their_own_logits(batch: tuple[torch.Tensor, ...]) -> None:
    logits, target, pseudo = batch
    stack = torch.stack([logits, -logits])
    for loss in (losses.mask_bce, losses.pseudo_single_bce):
        packed = torch.func.vmap(lambda z: loss(z, target, pseudo))(stack)  # noqa: B023
        torch.testing.assert_close(packed, torch.stack([loss(z, target, pseudo) for z in stack]))


def test_masked_classes_get_no_gradient(batch: tuple[torch.Tensor, ...]) -> None:
    logits, target, pseudo = batch
    logits.requires_grad_()
    losses.mask_bce(logits, target, pseudo, "paper").backward()
    assert (logits.grad[pseudo] == 0).all()
    assert (logits.grad[~pseudo] != 0).all()


@settings(max_examples=40, deadline=None)
@given(st.floats(0.02, 0.98), st.floats(0.01, 1.0))
def test_optimum_of_a_class_annotated_with_a_given_frequency(frequency: float, gamma: float) -> None:
    """WAN's optimum is π / (π + γ (1 - π)); AN's (γ = 1) is π: hence the threshold 1 / (1 + γ) for π = ½."""
    best = frequency / (frequency + gamma * (1 - frequency))
    logit = torch.tensor([[math.log(best / (1 - best))]], dtype=torch.float64, requires_grad=True)
    both = [losses.weak_assume_negative(logit, torch.full((1, 1), t, dtype=torch.float64), gamma) for t in (1.0, 0.0)]
    (frequency * both[0] + (1 - frequency) * both[1]).backward()
    assert abs(float(logit.grad)) < 1e-9


def test_entropy_is_greatest_when_undecided() -> None:
    logits = torch.tensor([[-40.0, -1.0, 0.0, 1.0, 40.0]], dtype=torch.float64)
    entropy = losses.binary_entropy(logits)
    assert entropy.argmax() == 2
    assert float(entropy[0, 2]) == pytest.approx(math.log(2))
    assert float(entropy[0, 0]) == pytest.approx(0.0, abs=1e-12)


def test_online_estimation_as_its_paper_writes_it(batch: tuple[torch.Tensor, ...]) -> None:
    logits, target, _ = batch
    estimates = logits.roll(1, 0) / 2
    p, q, k = logits.sigmoid(), estimates.sigmoid(), 1.7

    def cross(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return -(a * b.log() + (1 - a) * (1 - b).log())

    matrix = 0.5 * (-target * p.log() - target * q.log()) + 0.5 * (cross(q, p) + cross(p, q))
    balance = [((x.sum(1).mean() - k) / C) ** 2 for x in (p, q)]
    expected = matrix.sum() / (B * C) + 0.5 * (balance[0] + balance[1])
    torch.testing.assert_close(losses.joint_estimation(logits, estimates, target, k), expected)


def test_each_side_learns_from_a_constant_opinion(batch: tuple[torch.Tensor, ...]) -> None:
    """With no annotation and no regularizer in play, agreement pulls p toward q by the gradient (p - q) / 2BC."""
    logits, _, _ = batch
    logits.requires_grad_()
    estimates, none = logits.detach().roll(1, 0), torch.zeros(B, C, dtype=torch.float64)
    k = float(logits.detach().sigmoid().sum(1).mean())
    losses.joint_estimation(logits, estimates, none, k).backward()
    expected = 0.5 * (logits.sigmoid() - estimates.sigmoid()) / (B * C)
    torch.testing.assert_close(logits.grad, expected.detach())


def test_soft_negatives_take_the_place_of_entropy(batch: tuple[torch.Tensor, ...]) -> None:
    logits, target, pseudo = batch
    stored = logits.roll(2, 0).sigmoid()
    none = torch.zeros_like(pseudo)
    plain = losses.entropy_maximization(logits, target, 0.2, "paper")
    torch.testing.assert_close(losses.entropy_with_soft_negatives(logits, target, stored, none, 0.2, 0.5), plain)
    mixed = losses.entropy_with_soft_negatives(logits, target, stored, pseudo, 0.2, 0.5)
    there = (0.5 * losses.cross_entropy_elements(logits, stored) + 0.2 * losses.binary_entropy(logits))[pseudo].sum()
    torch.testing.assert_close(mixed - plain, there / (B * C))
