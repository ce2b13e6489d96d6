"""Losses and metrics at the edges: huge logits, nothing to learn from, one class, half precision; true gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from methods.actor_detection.parts import losses as actors
from methods.actor_detection.parts.rebalanced_loss import Rebalancing, Tolerance, distribution_balanced_loss
from methods.actor_detection.parts.thresholds import PseudoTargets
from methods.networks.actionformer.losses import distance_iou, sigmoid_focal
from methods.networks.bmn.losses import balanced_cross_entropy, tiou_regression
from methods.recognition.parts import losses as clips
from methods.semi_localization.parts.masks import class_loss, mask_loss
from methods.semi_localization.parts.masks_released import released_class_loss, released_mask_loss
from methods.weak_localization.parts.three_c_losses import centre_loss, count_loss
from suite.evaluate import multilabel
from suite.evaluate.boxes import Boxes
from suite.evaluate.segments import Segments
from suite.evaluate.spatial import frame_map
from suite.evaluate.temporal import temporal_map

B, C = 4, 5
TARGET = torch.eye(C)[:B]
PSEUDO = torch.zeros(B, C, dtype=torch.bool)
PSEUDO[0, 3] = PSEUDO[1, 0] = True
KNOWN = torch.ones(B, C, dtype=torch.bool)
KNOWN[2] = False
SOFT = torch.linspace(0.1, 0.9, B * C).reshape(B, C)
COUNTS = torch.tensor([5.0, 0.0, 2.0, 9.0, 1.0])
WEIGHTS = PseudoTargets(TARGET, TARGET * 0.7, (1 - TARGET) * 0.2)

Loss = Callable[[Tensor], Tensor]


def typed(function: Callable[..., Tensor], *tensors: Tensor, **more: object) -> Loss:
    """A loss of logits (B, C) alone, its other tensors in the type of the logits."""

    def loss(z: Tensor) -> Tensor:
        return function(z, *(t.to(z.dtype) if t.is_floating_point() else t for t in tensors), **more)

    return loss


def pseudo_loss(z: Tensor, poses: int = 0) -> Tensor:
    same = PseudoTargets(*(t.to(z.dtype) for t in (WEIGHTS.labels, WEIGHTS.positive_weight, WEIGHTS.negative_weight)))
    return actors.balanced_mean(actors.pseudo_label_loss(z, same, poses))


def balanced(z: Tensor, target: Tensor) -> Tensor:
    return distribution_balanced_loss(z, target, COUNTS.to(z.dtype), 12, Rebalancing(), Tolerance()).mean()


LOSSES: dict[str, Loss] = {
    **{
        f"{name} {reduction}": typed(getattr(clips, name), TARGET, *more, reduction=reduction)
        for name, more in (("assume_negative", ()), ("mask_bce", (PSEUDO,)), ("pseudo_single_bce", (PSEUDO,)))
        for reduction in ("code", "paper")
    },
    "assume_negative offset": typed(clips.assume_negative, TARGET, offset=1e-5),
    "assume_negative known": typed(clips.assume_negative, TARGET, reduction="paper", known=KNOWN),
    "assume_negative nothing known": typed(clips.assume_negative, TARGET, reduction="paper", known=KNOWN & False),
    "mask_bce all masked": typed(clips.mask_bce, TARGET, KNOWN | True, reduction="paper"),
    "weak_assume_negative": typed(clips.weak_assume_negative, TARGET, gamma=0.25),
    "label_smoothing": typed(clips.label_smoothing, TARGET, epsilon=0.1),
    "plain_label_smoothing": typed(clips.plain_label_smoothing, TARGET, epsilon=0.1),
    "negative_label_smoothing": typed(clips.negative_label_smoothing, TARGET, epsilon=0.1),
    "focal": typed(clips.focal, TARGET, alpha=0.25, gamma=2.0),
    "focal nothing known": typed(clips.focal, TARGET, alpha=0.25, gamma=2.0, known=KNOWN & False),
    "expected_positive_regularization": typed(clips.expected_positive_regularization, TARGET, cardinality=2.0),
    "entropy_maximization without": typed(clips.entropy_maximization, TARGET, alpha=0.0),
    "actors sigmoid": lambda z: typed(actors.multi_label_loss, TARGET)(z).mean(),
    "actors poses": lambda z: typed(actors.multi_label_loss, TARGET, poses=3)(z).mean(),
    "actors pseudo": pseudo_loss,
    "actors pseudo poses": partial(pseudo_loss, poses=3),
    "actors distribution-balanced": typed(balanced, TARGET),
    "actionformer focal": lambda z: typed(sigmoid_focal, TARGET)(z).mean(),
    "masks class": lambda z: class_loss(z[None], torch.tensor([[0, 4, 1, 4]])),
    "masks class, none taken": lambda z: class_loss(z[None], torch.tensor([[0, 4, 1, 4]]), torch.zeros(1, 4).bool()),
    "masks class as released": lambda z: released_class_loss(z[None], torch.tensor([[0, 4, 1, 4]])),
    "masks": lambda z: mask_loss(z[None], TARGET[None].to(z.dtype), torch.tensor([[True, False, True, True]])),
    "masks, no row": lambda z: mask_loss(z[None], TARGET[None].to(z.dtype), torch.zeros(1, B, dtype=torch.bool)),
}

# Entropies enter with an unbounded product of a logit and its probability: their gradient is taken at plain logits.
PLAIN_ONLY: dict[str, Loss] = {
    "entropy_maximization": typed(clips.entropy_maximization, TARGET, alpha=0.1),
    "entropy_with_soft_negatives": typed(clips.entropy_with_soft_negatives, TARGET, SOFT, PSEUDO, alpha=0.1, beta=0.9),
}

PROBABILITIES: dict[str, Loss] = {
    **{
        f"bmn {code} {threshold}": typed(balanced_cross_entropy, SOFT, threshold=threshold, code=code)
        for code in ("community", "opentad")
        for threshold in (0.5, 2.0, -1.0)  # some, none, all of the entries are positive
    },
    "bmn regression": lambda p: tiou_regression(p, SOFT.to(p.dtype), torch.ones_like(p)),
    "bmn regression of nothing": lambda p: tiou_regression(p, SOFT.to(p.dtype), torch.zeros_like(p)),
    "masks as released": lambda p: released_mask_loss(p[None, :, :4], TARGET[None, :, :4].to(p.dtype)),
}

EXTREME = {
    "huge": torch.tensor([[1e4, -1e4, 3e4, -3e4, 0.0]]).repeat(B, 1),
    "right": 1e4 * (2 * TARGET - 1),
    "wrong": -1e4 * (2 * TARGET - 1),
    "equal": torch.zeros(B, C),
}


def plain(dtype: torch.dtype = torch.float64) -> Tensor:
    return (
        torch.linspace(-2.3, 2.1, B * C).reshape(B, C)[:, torch.randperm(C, generator=torch.manual_seed(0))].to(dtype)
    )


@pytest.mark.parametrize("name", [*LOSSES, *PLAIN_ONLY])
def test_gradients_of_losses_of_logits(name: str) -> None:
    loss = (LOSSES | PLAIN_ONLY)[name]
    assert torch.autograd.gradcheck(loss, plain().requires_grad_(), eps=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", PROBABILITIES)
def test_gradients_of_losses_of_probabilities(name: str) -> None:
    assert torch.autograd.gradcheck(PROBABILITIES[name], plain().sigmoid().requires_grad_(), eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("name", [*LOSSES, *PLAIN_ONLY])
@pytest.mark.parametrize("extreme", EXTREME)
def test_losses_of_extreme_logits_and_their_gradients_are_finite(name: str, extreme: str) -> None:
    logits = EXTREME[extreme].clone().requires_grad_()
    loss = (LOSSES | PLAIN_ONLY)[name](logits)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", PROBABILITIES)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_losses_of_certain_probabilities_are_finite(name: str, value: float) -> None:
    probability = torch.full((B, C), value, requires_grad=True)
    loss = PROBABILITIES[name](probability)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(probability.grad).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", [*LOSSES, *PLAIN_ONLY])
def test_losses_in_half_precision_are_near_the_exact_ones(name: str, dtype: torch.dtype) -> None:
    loss = (LOSSES | PLAIN_ONLY)[name]
    for logits in (plain(), 8 * plain()):
        exact, half = float(loss(logits)), float(loss(logits.to(dtype)))
        assert half == pytest.approx(exact, rel=0.05, abs=0.05)


@pytest.mark.parametrize("form", ["mean", "released"])
def test_centres_without_a_labelled_video(form: str) -> None:
    features = torch.randn(2, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    centres, labels = torch.randn(2, 3, 4, dtype=torch.float64), torch.tensor([[1.0, 0, 1], [0, 1, 0]]).double()
    assert torch.autograd.gradcheck(lambda f: centre_loss(f, centres, labels, form), features)
    nothing = centre_loss(features, centres, labels * 0, form)
    nothing.backward()
    assert nothing == 0 and not features.grad.any()


def test_counts_of_absent_classes_and_segments_of_no_length() -> None:
    features = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    counts, lengths = torch.tensor([[0.0, 1, 9], [2, 0, 0]]).double(), torch.tensor([4, 3])
    assert torch.autograd.gradcheck(lambda f: count_loss(f, counts, lengths, 0.1), features)
    offsets = torch.tensor([[0.0, 0.0], [1.0, 2.0]], requires_grad=True)
    distance_iou(offsets, torch.tensor([[0.0, 0.0], [0.0, 0.0]])).sum().backward()
    assert torch.isfinite(offsets.grad).all()
    wide = torch.tensor([[1.0, 2.0], [0.5, 0.3]], dtype=torch.float64, requires_grad=True)
    target = torch.tensor([[0.8, 1.5], [0.6, 0.9]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda o: distance_iou(o, target), wide)


def test_a_mean_over_nobody_is_zero() -> None:
    assert actors.balanced_mean(torch.zeros(0, C)) == 0
    assert actors.balanced_mean(torch.ones(B, C), mask=torch.zeros(B, dtype=torch.bool)) == 0


# Metrics --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_multi_label_metrics_of_extreme_scores_depend_on_order_alone(scale: float) -> None:
    draw = np.random.default_rng(0)
    scores, truth = draw.normal(size=(50, 4)), draw.random((50, 4)) < 0.4
    assert multilabel.mean_average_precision(scores * scale, truth) == pytest.approx(
        multilabel.mean_average_precision(scores, truth)
    )


def test_segments_of_one_class_of_none_and_at_the_ends_of_numbers() -> None:
    truth = Segments([0], [0], [0.0], [1.0])
    assert temporal_map(truth, Segments.empty(scored=True)).average_map == 0.0
    assert temporal_map(truth, Segments([0], [0], [0.0], [1.0], [1e300])).average_map == 1.0
    assert temporal_map(truth, Segments([0], [0], [-1e300], [1e300], [-1e300])).average_map == 0.0
    assert np.isnan(temporal_map(Segments.empty(), Segments([0], [0], [0.0], [1.0], [1.0])).average_map)


def test_boxes_of_no_size_and_no_boxes() -> None:
    truth = Boxes([0], [1], np.array([[0.1, 0.1, 0.5, 0.5]]), None)
    flat = Boxes([0], [1], np.array([[0.2, 0.2, 0.2, 0.2]]), np.array([0.5]))
    nothing = Boxes(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 4)), np.zeros(0))
    for found in (flat, nothing):
        assert frame_map(truth, found).mean_ap == 0.0
