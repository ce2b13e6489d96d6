"""From a phase's declared optimizer to one that steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from suite.method import Method, Optimizer, Phase
from suite.train.schedules import rate


def make_optimizer(method: Method, network: nn.Module, settings: Optimizer) -> torch.optim.Optimizer:
    """The optimizer over the method's parameter groups; groups may bring their own decay and ``lr_scale``."""
    groups: list[dict[str, Any]] = [{"lr": settings.lr, **group} for group in method.parameter_groups(network)]
    if settings.name == "sgd":
        return torch.optim.SGD(
            groups, settings.lr, settings.momentum, weight_decay=settings.weight_decay, nesterov=settings.nesterov
        )
    kind = torch.optim.AdamW if settings.name == "adamw" else torch.optim.Adam
    one_pass = True if takes_one_pass(network.parameters()) else None  # None: what torch takes on a device
    return kind(groups, settings.lr, settings.betas, settings.epsilon, settings.weight_decay, fused=one_pass)


def takes_one_pass(parameters: Iterable[Tensor]) -> bool:
    """Whether Adam moves ``parameters`` by torch's kernel that goes once over weights, gradients and moments.

    On a CPU, where its single operations take at least three times as long (tests/benchmarks/bench_adam.py). The kernel
    takes numbers as they lie in memory, without asking for their order: autograd keeps gradients in the order of their
    weights, but moments from a checkpoint are contiguous, and so weights have to be.
    """
    return all(one.device.type == "cpu" and one.is_contiguous() and one.is_floating_point() for one in parameters)


def phase_rate(phase: Phase, step: int, steps_per_epoch: int) -> float:
    """The learning rate at the 0-based ``step`` of the phase."""
    total = phase.steps or phase.epochs * steps_per_epoch
    return rate(phase.schedule, phase.optimizer.lr, step, total, steps_per_epoch)


def set_rate(optimizer: torch.optim.Optimizer, phase: Phase, step: int, steps_per_epoch: int) -> None:
    """Set every group's learning rate for the 0-based ``step`` of the phase, and what else changes with the step."""
    now = phase_rate(phase, step, steps_per_epoch)
    for group in optimizer.param_groups:
        group["lr"] = now * group.get("lr_scale", 1.0)
    if phase.optimizer.epsilon_hat:
        _set_epsilon(optimizer, phase.optimizer)


def _set_epsilon(optimizer: torch.optim.Optimizer, settings: Optimizer) -> None:
    """Divide epsilon by the bias correction, since torch adds it behind: the same as adding it before."""
    taken = max((int(slots["step"]) for slots in optimizer.state.values()), default=0)
    for group in optimizer.param_groups:
        group["eps"] = settings.epsilon / (1 - settings.betas[1] ** (taken + 1)) ** 0.5
