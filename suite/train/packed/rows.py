"""A chain of layers over vectors for all members of a stack: products member by member, the rest at once.

Values are (B, M, C): a row of a batch, member, channel. What acts on each number or channel by itself is then one call
for all members, with the same result to the bit; products are each member's own, on the very operands that it would
have alone, and take one record of autograd for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# Channels of a member must fill whole vector registers: at the end of a row single numbers round otherwise.
VECTOR = 16

Product = Callable[[Tensor, Tensor, Tensor | None], Tensor]
Stacked = Callable[[Tensor, Sequence[Tensor | None]], Tensor]


class _Products(torch.autograd.Function):
    """``product`` of values, (B, F) for all members or (B, M, F), with weights (M, N, F) and biases (M, N): (B, M, N).

    Gradients are the products that autograd would make of each member's own.
    """

    @staticmethod
    def forward(ctx: Any, product: Product, values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        own = values if values.dim() == 2 else values.transpose(0, 1).contiguous()
        ctx.save_for_backward(own, weight)
        biases = (None,) * len(weight) if bias is None else bias.unbind()
        return torch.stack([product(*each) for each in zip(_of_each(own, weight), weight.unbind(), biases)], dim=1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, out: Tensor) -> tuple[None, Tensor | None, Tensor | None, Tensor | None]:
        values, weight = ctx.saved_tensors
        _, of_values, of_weight, of_bias = ctx.needs_input_grad
        parts = out.transpose(0, 1).contiguous()
        back = parts.new_empty(*parts.shape[:2], weight.shape[2]) if of_values else None
        weights = torch.empty_like(weight) if of_weight else None
        if back is not None:
            _products(parts, weight.unbind(), back)
            back = back.sum(0) if values.dim() == 2 else back.transpose(0, 1)
        if weights is not None:
            _products(parts.transpose(1, 2), _of_each(values, weight), weights)
        # One sum for all members runs in the order of each member's own; one product would not.
        biases = parts.sum(1) if of_bias else None
        return None, back, weights, biases


def _products(left: Tensor, right: Sequence[Tensor], into: Tensor) -> None:
    """Each member's own product of ``left`` (M, ...) and ``right`` (M of them)."""
    for one, other, place in zip(left.unbind(), right, into.unbind()):
        torch.mm(one, other, out=place)


def _of_each(values: Tensor, weight: Tensor) -> Sequence[Tensor]:
    return (values,) * len(weight) if values.dim() == 2 else values.unbind()


def linear(product: Product) -> Stacked:
    """A linear layer of every member: (B, F) or (B, M, F) with weights and biases gives (B, M, N)."""

    def stacked(values: Tensor, own: Sequence[Tensor | None]) -> Tensor:
        out: Tensor = _Products.apply(product, values, *own)
        return out

    return stacked


def normalization(channels: int, train: bool, momentum: float, eps: float) -> Stacked | None:
    """Batch normalization of (B, M, C), all channels of all members as those of one; statistics are changed in place.

    None where channels do not fill registers.
    """

    def stacked(values: Tensor, own: Sequence[Tensor | None]) -> Tensor:
        mean, var, weight, bias = (None if one is None else one.view(-1) for one in own)
        flat = F.batch_norm(values.reshape(len(values), -1), mean, var, weight, bias, train, momentum, eps)
        return flat.view(values.shape)

    return None if channels % VECTOR else stacked


def elementwise(function: Callable[[Tensor], Tensor]) -> Stacked:
    """What acts on each number by itself."""
    return lambda values, own: function(values)
