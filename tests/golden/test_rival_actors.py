"""FixMatch's and FlexMatch's masks and the distribution-balanced loss against their released code."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from methods.actor_detection.distribution_balanced import DistributionBalanced
from methods.actor_detection.flexmatch import FlexMatch
from methods.actor_detection.parts.rebalanced_loss import Rebalancing, Tolerance, distribution_balanced_loss
from methods.actor_detection.parts.thresholds import last_confident, single_label_status, single_label_targets, stretch
from tests.golden import close, golden

MATCH = golden("rival_match_thresholds.npz")
MATCH_SETTINGS = golden("rival_match_thresholds__defaults.json")
BALANCED = golden("rival_distribution_balanced.npz")
BALANCED_SETTINGS = golden("rival_distribution_balanced__defaults.json")
CASES = sorted(key.removesuffix("__p_cutoff") for key in MATCH if key.endswith("__p_cutoff"))


def steps_of(case: str) -> list[dict[str, np.ndarray]]:
    numbers = sorted({int(m[1]) for key in MATCH if (m := re.match(rf"{case}__step(\d+)__", key))})
    starts = [f"{case}__step{number}__" for number in numbers]
    return [{key.removeprefix(s): MATCH[key] for key in MATCH if key.startswith(s)} for s in starts]


def masked_cross_entropy(step: dict[str, np.ndarray], mask: torch.Tensor) -> tuple[float, np.ndarray]:
    logits = torch.from_numpy(step["logits_strong"]).requires_grad_()
    loss = (mask * F.cross_entropy(logits, torch.from_numpy(step["hard_label"]), reduction="none")).mean()
    loss.backward()
    return float(loss.detach()), logits.grad.numpy()


@pytest.mark.parametrize("case", CASES)
def test_fixmatch(case: str) -> None:
    for step in steps_of(case):
        scores = torch.from_numpy(step["logits_weak"]).softmax(dim=1)
        targets = single_label_targets(scores, float(MATCH[f"{case}__p_cutoff"]), 0.0)
        mask = targets.labels.sum(dim=1)
        np.testing.assert_array_equal(mask.numpy(), step["fixmatch_mask"])
        np.testing.assert_array_equal(targets.labels.argmax(dim=1)[mask > 0], step["hard_label"][mask > 0])
        loss, gradient = masked_cross_entropy(step, mask)
        close(loss, step["fixmatch_loss"], 1e-9)
        close(gradient, step["fixmatch_loss_grad"], 1e-9)


@pytest.mark.parametrize("case", CASES)
def test_flexmatch_uses_the_status_before_the_batch(case: str) -> None:
    tau, warm_up = float(MATCH[f"{case}__p_cutoff"]), bool(MATCH[f"{case}__thresh_warmup"])
    selected = torch.full((int(MATCH[f"{case}__num_unlabelled"]),), -1, dtype=torch.int64)
    steps = steps_of(case)
    status = torch.zeros(steps[0]["logits_weak"].shape[1], dtype=torch.float64)
    for step in steps:
        scores, rows = torch.from_numpy(step["logits_weak"]).softmax(dim=1), torch.from_numpy(step["index"])
        close(status.numpy(), step["flexmatch_status_before"], 1e-6)
        thresholds = stretch(status, "convex") * tau
        close(thresholds.numpy(), step["flexmatch_threshold_of_class"], 1e-6)
        mask = single_label_targets(scores, thresholds, 0.0).labels.sum(dim=1)
        np.testing.assert_array_equal(mask.numpy(), step["flexmatch_mask"])
        selected = last_confident(selected, rows, scores, tau)
        np.testing.assert_array_equal(selected.numpy(), step["flexmatch_selected_label_after"])
        status = single_label_status(selected, status, warm_up).double()
        close(status.numpy(), step["flexmatch_status_after"], 1e-6)
        loss, gradient = masked_cross_entropy(step, mask)
        close(loss, step["flexmatch_loss"], 1e-9)
        close(gradient, step["flexmatch_loss_grad"], 1e-9)


def test_maps_of_the_status() -> None:
    status = torch.from_numpy(MATCH["maps__status"])
    close(stretch(status, "convex").numpy(), MATCH["maps__convex_in_use"], 1e-9)


def test_status_is_stuck_once_all_are_sure_of_one_class() -> None:
    expected = MATCH["stuck__status_after_k_of_6_in_class1"]
    people, status = len(expected), torch.zeros(expected.shape[1])
    for sure, row in enumerate(expected, start=1):
        selected = torch.full((people,), -1, dtype=torch.int64)
        selected[:sure] = 1
        status = single_label_status(selected, status).float()
        close(status.numpy(), row, 1e-6)


def test_constants_of_flexmatch() -> None:
    (released,) = (value for key, value in MATCH_SETTINGS.items() if "flexmatch" in key)
    published = FlexMatch(preset="published")
    assert (published.tau_positive, published.weight) == (released["p_cutoff"], released["ulb_loss_ratio"])
    assert (published.warm_up, published.ema) == (released["thresh_warmup"], released["ema_m"])


# Distribution-balanced loss: which parts of the released loss are on in each stored setting ---------------------------

COCO, VOC = (DistributionBalanced(preset=name).settings() for name in ("published", "voc"))
PLAIN = Tolerance(kappa=0.0, scale=1.0, focusing=0.0)
DECAYING = replace(COCO[0], kind="effective-number")
# the stored settings share COCO's smoothing; the one with the bias alone has kappa 0.1
SETTINGS: dict[str, tuple[Rebalancing, Tolerance]] = {
    "voc": VOC,
    "coco": COCO,
    "db_without_focal": (COCO[0], replace(COCO[1], focusing=0.0, factor=1.0)),
    "rebalance_only": (COCO[0], PLAIN),
    "bias_only_rebalance": (COCO[0], replace(PLAIN, kappa=0.1)),
    "inverse_frequency": (replace(COCO[0], kind="inverse"), PLAIN),
    "sqrt_inverse": (replace(COCO[0], kind="sqrt-inverse"), PLAIN),
    "cb_average_w_focal": (DECAYING, replace(COCO[1], kappa=0.0, scale=1.0)),
    "norm_by_instance": (replace(COCO[0], normalize=True), COCO[1]),
}
STORED = sorted(key.removesuffix("__loss") for key in BALANCED if key.endswith("__loss"))


@pytest.mark.parametrize("key", STORED)
def test_distribution_balanced(key: str) -> None:
    case, name = key.split("__")
    targets, counts = (torch.from_numpy(BALANCED[f"{case}__{part}"]) for part in ("target", "class_counts"))
    logits = torch.from_numpy(BALANCED[f"{case}__logits"]).requires_grad_()
    total, (rebalancing, tolerance) = int(BALANCED[f"{case}__total"]), SETTINGS[name]
    exact = 1e-7 if rebalancing.kind == "effective-number" else 1e-9  # whose 1 - decay is in single precision there
    weights = rebalancing.weights(targets, counts, total)
    close(weights.numpy(), np.broadcast_to(BALANCED[f"{key}__weight_before_regularization"], weights.shape), exact)
    elements = distribution_balanced_loss(logits, targets, counts, total, rebalancing, tolerance)
    elements.mean().backward()
    close(elements.detach().numpy(), BALANCED[f"{key}__elements"], exact)
    close(elements.mean().detach().numpy(), BALANCED[f"{key}__loss"], exact)
    close(logits.grad.numpy(), BALANCED[f"{key}__grad"], exact)
    if f"{key}__bias" in BALANCED:
        close(tolerance.bias(counts, total).numpy(), BALANCED[f"{key}__bias"], 1e-9)


@pytest.mark.parametrize(("preset", "config"), [("published", "coco"), ("voc", "voc")])
def test_constants_of_the_released_configurations(preset: str, config: str) -> None:
    voc = BALANCED_SETTINGS["configs/voc/LT_resnet50_pfc_DB.py"]
    (released,) = (value for key, value in BALANCED_SETTINGS.items() if key.startswith(f"configs/{config}/"))
    rebalancing, tolerance = DistributionBalanced(preset=preset).settings()
    smoothing = released["map_param"]
    assert (rebalancing.alpha, rebalancing.beta) == (smoothing["alpha"], smoothing["beta"])
    assert rebalancing.mu == smoothing["gamma (the paper's mu)"]
    assert (tolerance.kappa, tolerance.scale) == (released["init_bias (kappa)"], released["neg_scale (lambda)"])
    focal = released.get("focal", voc["focal"])
    assert (tolerance.factor, tolerance.focusing) == (focal["balance_param"], focal["gamma"])
