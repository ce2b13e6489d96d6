"""Whether a device computes what the CPU computes: networks and losses, pseudo-label rules, whole trainings."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from methods.networks.actionformer.layers import ScaledDropPath
from tests.gpu.cases import CASES, Case, Tensors, made
from tests.gpu.report import Report

PART = "agreement"
# The norm of what a gradient differs by from the CPU's in float32, as a share of its norm.
# TF32 keeps 10 bits of the 23 of float32, bfloat16 keeps 7, and errors add up over the layers.
TOLERANCE = {"float32": 1e-3, "TF32": 2e-2, "bfloat16": 1e-1}
STEPS = 50
# Losses of the steps, as shares of the first one.
AFTER_STEPS = {"float32": 1e-2, "TF32": 3e-2, "bfloat16": 5e-2}


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Whether products of float32 may be computed in TF32."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@contextmanager
def precision(name: str, case: Case) -> Iterator[Case]:
    """``case`` in ``float32``, ``TF32`` or ``bfloat16`` (mixed precision)."""
    device = next(case.network.parameters()).device.type

    def loss(network: nn.Module, inputs: Tensors) -> Tensor:
        # Entered for every loss: autocast keeps the weights that it has converted until it is left.
        with torch.autocast(device, dtype=torch.bfloat16):
            return case.loss(network, inputs)

    with tf32(name == "TF32"):
        yield replace(case, loss=loss) if name == "bfloat16" else case


def without_chance(case: Case) -> Case:
    """The same network without dropout and drop path: each device draws its own."""
    for module in case.network.modules():
        if isinstance(module, torch.nn.modules.dropout._DropoutNd | ScaledDropPath):
            module.eval()
    return case


def gradients(case: Case) -> dict[str, Tensor]:
    """The loss and every gradient of one step, on the CPU in float32."""
    case.network.zero_grad(set_to_none=True)
    loss = case.loss(case.network, case.inputs)
    loss.backward()
    found = {name: p.grad for name, p in case.network.named_parameters() if p.grad is not None}
    return {name: value.detach().float().cpu() for name, value in {"loss": loss, **found}.items()}


def difference(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> float:
    """The norm of the difference as a share of the norm of ``wanted``, or infinity where any of it is not finite."""
    left, right = (torch.cat([part[name].double().flatten() for name in wanted]) for part in (found, wanted))
    share = float((left - right).norm() / right.norm())
    return share if torch.isfinite(left).all() else float("inf")


def losses_of(case: Case, steps: int) -> list[float]:
    """Losses over ``steps`` steps of Adam on one batch."""
    optimizer = torch.optim.Adam(case.network.parameters(), lr=1e-4)
    losses = []
    for _ in range(steps):
        loss = case.loss(case.network, case.inputs)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses).float().tolist()  # type: ignore[no-any-return]


def networks(report: Report, device: str, names: list[str] | None = None) -> None:
    """Loss, gradients and fifty steps of every network at small sizes; twice the same on the device."""
    for name in names or list(CASES):
        report.part(f"{PART}: {name}", partial(_network, report, device, name))


def _network(report: Report, device: str, name: str) -> None:
    here = without_chance(made(name, full=False))
    wanted, there = gradients(here), copy.deepcopy(here).to(device)
    for kind, bound in TOLERANCE.items():
        with precision(kind, there) as changed:
            report.add(PART, name, f"gradients, {kind}", difference(gradients(changed), wanted), bound)
    first, second = gradients(there), gradients(there)
    report.add(PART, name, "differences of a repeated step", difference(first, second), 1e-5)
    plain = losses_of(copy.deepcopy(here), STEPS)
    for kind, bound in AFTER_STEPS.items():
        with precision(kind, copy.deepcopy(here).to(device)) as changed:
            learnt = losses_of(changed, STEPS)
        gaps = [abs(a - b) / abs(plain[0]) for a, b in zip(learnt, plain, strict=True)]
        report.add(PART, name, f"losses of {STEPS} steps, {kind}", max(gaps), bound)


def rules(report: Report, device: str) -> None:
    """Pseudo-label rules and balancing, entry by entry."""
    for name, (rule, inputs) in _rules().items():
        here = rule(*inputs)
        there = rule(*(value.to(device) for value in inputs))
        gap = max(float((a.double() - b.cpu().double()).abs().max()) for a, b in zip(here, there, strict=True))
        report.add(PART, name, "largest difference", gap, 1e-5)


def _rules() -> dict[str, tuple[Callable[..., tuple[Tensor, ...]], tuple[Tensor, ...]]]:
    from methods.actor_detection.parts import class_balancing, thresholds
    from methods.networks.roi_align import roi_align
    from methods.weak_localization.parts.selection import selected_positions, top_k

    torch.manual_seed(0)
    scores, labels = torch.rand(500, 20), (torch.rand(500, 20) < 0.1).double()
    limits = torch.linspace(0.2, 0.9, 20)

    def gated(teacher: Tensor, limit: Tensor) -> tuple[Tensor, ...]:
        found = thresholds.gated_targets(teacher, limit, 0.1, 10.0)
        return found.labels, found.positive_weight, found.negative_weight

    def fixed(teacher: Tensor) -> tuple[Tensor, ...]:
        found = thresholds.thresholded_targets(teacher, 0.7, 0.1)
        return found.labels, found.positive_weight, found.negative_weight

    def balance(given: Tensor) -> tuple[Tensor, ...]:
        found = class_balancing.Balance.of(given, 0.5, 0.5)
        chances = class_balancing.instance_probabilities(given, found.probabilities, found.rank, True)
        return found.counts, found.rank, found.probabilities, found.gap, found.weights, chances

    def chosen(selection: Tensor, given: Tensor) -> tuple[Tensor, ...]:
        return (selected_positions(top_k(selection, 8), given, selection.shape[1]),)

    def aligned(maps: Tensor, boxes: Tensor) -> tuple[Tensor, ...]:
        return (roi_align(maps, boxes, 7, 1.0, 0, False),)

    corner = 10 * torch.rand(6, 2)
    boxes = torch.cat([torch.arange(6)[:, None] % 2, corner, corner + 5], dim=1)
    return {
        "fixed thresholds (FixMatch)": (fixed, (scores,)),
        "learnable thresholds": (gated, (scores, limits)),
        "class balancing": (balance, (labels,)),
        "ASL: chosen positions": (chosen, (torch.rand(4, 64, 5), torch.eye(5)[:4])),
        "regions of people": (aligned, (torch.rand(2, 8, 16, 16), boxes)),
    }
