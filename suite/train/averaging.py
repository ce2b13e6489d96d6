"""Moving averages of weights: teachers, and the weights that are evaluated."""

from __future__ import annotations

import copy

import torch
from torch import nn

from suite.method import Average


def averaged_copy(network: nn.Module) -> nn.Module:
    """A copy of ``network`` that takes no gradient and stays in evaluation mode."""
    return copy.deepcopy(network).requires_grad_(False).eval()


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, settings: Average, step: int) -> None:
    """Move every tensor of ``average`` towards ``network`` after optimizer step ``step`` (1-based).

    The whole state takes part, running statistics of normalization included; integer counters and excluded
    parameters are copied. With ``decay=1`` nothing moves: a frozen teacher.
    """
    if settings.decay >= 1.0:
        return
    # A young average is mostly the random start. With the ramp its memory is short at first and the start is forgotten.
    above, below = settings.ramp
    decay = min(settings.decay, (above + step) / (below + step)) if settings.warmup else settings.decay
    current = network.state_dict()
    for name, kept in average.state_dict().items():
        if not kept.is_floating_point() or name.startswith(settings.exclude or ("\0",)):
            kept.copy_(current[name])
        else:
            kept.mul_(decay).add_(current[name], alpha=1.0 - decay)
