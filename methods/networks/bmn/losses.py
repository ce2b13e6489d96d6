"""Losses of the boundary-matching network, in the forms of public code, safe on batches without positives.

Source: BMN, §3.3, eqs. 3-6; JJBOY/BMN ("community"), whose losses are also those of SSTAP's code ("original"), and
OpenTAD. The community code divides by the number of positives and gives NaN without any; here a missing side has no
weight, and every other value is the reference's.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.networks.bmn.model import BoundaryMap
from methods.networks.bmn.targets import Code

HIGH, LOW, CONFIDENT, BOUNDARY = 0.7, 0.3, 0.9, 0.5
REGRESSION_WEIGHT = 10.0


class MapTargets(NamedTuple):
    """Targets of a batch: boundary shares (B, T) and the best tIoU of every map cell (B, rows, T)."""

    start: Tensor
    end: Tensor
    tiou: Tensor


class Draws(NamedTuple):
    """Uniform numbers that choose which cells of middle and low tIoU take part, shaped like the tIoU map."""

    middle: Tensor
    low: Tensor


def saturating_log(probability: Tensor) -> Tensor:
    """The logarithm, -100 at the least; without a gradient where a sigmoid has run into 0 (it would be NaN)."""
    usable = probability > torch.finfo(probability.dtype).tiny
    lost = probability.detach().log().clamp(min=-100)
    # Replaced twice: the gradient of a logarithm at 0 is infinite, and times the zero of the branch not taken it is
    # NaN.
    return torch.where(usable, torch.where(usable, probability, 1.0).log(), lost)


def balanced_cross_entropy(
    probability: Tensor, target: Tensor, threshold: float, code: Code = "community", valid: Tensor | None = None
) -> Tensor:
    """Binary cross entropy in which both sides weigh one half, whatever their numbers; mean over the entries.

    Entries with ``target > threshold`` are positive. If one side is empty, ``community`` leaves it out (the other keeps
    its half weight), ``opentad`` falls back to the plain mean.
    """
    positive = target > threshold
    negative = ~positive if valid is None else ~positive & valid
    entries = (positive.sum() + negative.sum()).to(probability.dtype)
    up, down = positive.sum().to(probability.dtype), negative.sum().to(probability.dtype)
    if code != "opentad":
        log_yes, log_no = (probability + 1e-6).log(), (1 - probability + 1e-6).log()
    else:
        log_yes, log_no = saturating_log(probability), saturating_log(1 - probability)
    weight_up, weight_down = 0.5 * entries / up.clamp(min=1), 0.5 * entries / down.clamp(min=1)
    if code == "opentad":
        one_sided = (up == 0) | (down == 0)
        weight_up, weight_down = (torch.where(one_sided, torch.ones_like(w), w) for w in (weight_up, weight_down))
    yes = (log_yes * positive).sum() * weight_up
    no = (log_no * negative).sum() * weight_down
    return -(yes + no) / entries.clamp(min=1)


def sampling_weights(target: Tensor, draws: Draws, code: Code = "community", valid: Tensor | None = None) -> Tensor:
    """How often each cell counts in the regression: all of high tIoU, as many of middle and of low, drawn at random.

    ``community`` leaves cells of tIoU zero out. Where cells of high tIoU outnumber a band, the comparison with a
    negative number lets every cell in (the reference's rule, kept).
    """
    high = target > HIGH
    middle = (target <= HIGH) & (target > LOW)
    low = target <= LOW
    if code != "opentad":
        low &= target > 0
    if valid is not None:
        low &= valid
    number = high.sum().to(target.dtype)
    weights = high.to(target.dtype)
    for band, draw in ((middle, draws.middle), (low, draws.low)):
        share = number / band.sum().clamp(min=1e-6)
        weights = weights + (draw * band > 1 - share).to(target.dtype)
    return weights


def tiou_regression(predicted: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Half the weighted mean square error; cells that count twice enter with the square of their weight."""
    squared = (predicted * weights - target * weights) ** 2
    return 0.5 * squared.sum() / weights.sum().clamp(min=1)


def boundary_loss(found: BoundaryMap, targets: MapTargets, code: Code = "community") -> Tensor:
    """Balanced cross entropy of starts plus that of ends."""
    start = balanced_cross_entropy(found.start, targets.start, BOUNDARY, code)
    return start + balanced_cross_entropy(found.end, targets.end, BOUNDARY, code)


def community_losses(found: BoundaryMap, targets: MapTargets, valid: Tensor, draws: Draws) -> dict[str, Tensor]:
    """Boundary, regression (times 10) and classification losses of the community code; their sum is its total."""
    target = targets.tiou * valid
    weights = sampling_weights(target, draws, "community", valid)
    return {
        "boundary": boundary_loss(found, targets),
        "regression": REGRESSION_WEIGHT * tiou_regression(found.regression, target, weights),
        "classification": balanced_cross_entropy(found.classification, target, CONFIDENT, "community", valid),
    }


def opentad_losses(found: BoundaryMap, targets: MapTargets, cells: Tensor, draws: Draws) -> dict[str, Tensor]:
    """The losses of OpenTAD over valid cells; draws are (B, K) over the valid cells in row order.

    ``cells`` (K,) are the valid cells' places in a map laid out row by row. Without a cell of high tIoU its regression
    is the plain mean square error, NOT times 5.
    """
    tious, confidences = targets.tiou.flatten(1), (found.regression.flatten(1), found.classification.flatten(1))
    target, (predicted, classified) = tious[:, cells], (values[:, cells] for values in confidences)
    weights, squared = sampling_weights(target, draws, "opentad"), (predicted - target) ** 2
    # Both forms are computed, since the host would have to wait for a GPU to tell which one holds; a cell of high tIoU
    # has weight 1, so the clamp changes nothing where the first one does.
    sampled = REGRESSION_WEIGHT / 2 * (squared * weights).sum() / weights.sum().clamp(min=1)
    regression = torch.where((target > HIGH).any(), sampled, F.mse_loss(predicted, target))
    return {
        "boundary": boundary_loss(found, targets, "opentad"),
        "regression": regression,
        "classification": balanced_cross_entropy(classified, target, CONFIDENT, "opentad"),
    }
