"""Layers of a stack that compute each member by itself, with the very kernels that it would meet alone.

Batched products add up in another order than single ones. The difference is in the last bit, but Adam divides gradients
by their own size: where the true gradient is nothing (a unit that one sample of the batch woke), rounding decides the
step, and members would drift away from what they are alone. On a CPU the loop over members costs almost nothing; on a
GPU, where launches of kernels are the bottleneck, stacks are multiplied as stacks.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Each(torch.autograd.Function):
    """``function(*tensors)`` for each member of a stack in turn; gradients are those of the calls themselves."""

    @staticmethod
    def forward(function: Callable[..., Tensor], *tensors: Tensor | None) -> Tensor:
        return function(*tensors)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept: outside of vmap the function is not used."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, function: Callable[..., Tensor], *tensors: Tensor | None) -> tuple[Tensor, int]:
        # Under vmap these are ordinary tensors of autograd (the backward pass runs outside of vmap), so the calls below
        # record their own gradients and the function needs no backward of its own.
        count = info.batch_size
        # Unbound at once and not indexed member by member: the backward pass of each index would fill a gradient as
        # large as the whole stack with zeros.
        columns = [
            (tensor,) * count if tensor is None or dim is None else tensor.unbind(dim)  # one gradient for the stack
            for tensor, dim in zip(tensors, in_dims[1:])
        ]
        outputs = [function(*own) for own in zip(*columns)]
        return torch.stack(outputs), 0


def one_by_one(network: nn.Module) -> nn.Module:
    """``network`` with its linear, convolutional and normalizing layers computed member by member under vmap."""
    for module in network.modules():
        # By the exact type: a subclass may compute something else in its forward, and is better left to vmap, unless it
        # says by which ``product`` of values, weight and bias it is linear.
        kind = nn.Linear if isinstance(module, nn.Linear) and hasattr(module, "product") else type(module)
        forward = _FORWARDS.get(kind)
        if forward is not None:
            module.forward = types.MethodType(forward, module)
    return network


def _linear(self: nn.Linear, values: Tensor) -> Tensor:
    out: Tensor = _Each.apply(getattr(self, "product", F.linear), values, self.weight, self.bias)
    return out


def _convolution(self: nn.Conv1d, values: Tensor) -> Tensor:
    # The weights are arguments and not taken from the closure: only arguments are split by member.
    def each(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return self._conv_forward(x, weight, bias)

    out: Tensor = _Each.apply(each, values, self.weight, self.bias)
    return out


def _normalization(self: nn.BatchNorm1d, values: Tensor) -> Tensor:
    momentum = 0.1 if self.momentum is None else self.momentum
    if self.training and self.num_batches_tracked is not None:
        self.num_batches_tracked.add_(1)
    # The rule of nn.BatchNorm1d: without running statistics the batch's own serve in evaluation too.
    use = self.training or self.running_mean is None

    # batch_norm updates the running statistics in place. Unbinding gives views, so what it updates are the stacks.
    def each(x: Tensor, mean: Tensor | None, var: Tensor | None, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        return F.batch_norm(x, mean, var, weight, bias, use, momentum, self.eps)

    out: Tensor = _Each.apply(each, values, self.running_mean, self.running_var, self.weight, self.bias)
    return out


_FORWARDS: dict[type, Callable[..., Tensor]] = {
    nn.Linear: _linear,
    nn.Conv1d: _convolution,
    nn.BatchNorm1d: _normalization,
}
