"""Layers of a stack that compute each member by itself, with the very kernels that it would meet alone.

Batched products add up in another order than single ones. The difference is in the last bit, but Adam divides gradients
by their own size: where the true gradient is nothing (a unit that one sample of the batch woke), rounding decides the
step, and members would drift away from what they are alone. On a CPU the loop over members costs almost nothing; on a
GPU, where launches of kernels are the bottleneck, stacks are multiplied as stacks.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from suite.train.packed import rows
from suite.train.packed.rows import Stacked


class Own(NamedTuple):
    """Of a layer, its ``tensors`` as they are now (under vmap, stacks), and how it computes: values with a member's
    tensors, and those of all members with the stacks, where there is such a way, which may take ``shared`` values.

    Weights are arguments and not taken from the closure: only arguments are split by member.
    """

    tensors: list[Tensor | None]
    alone: Callable[..., Tensor]
    together: Stacked | None = None
    shared: bool = False


class _Chain:
    """Layers one after the other, each taking what the one before returns."""

    def __init__(self, layers: Sequence[Own]) -> None:
        self.tensors = [tensor for layer in layers for tensor in layer.tensors]
        ends = list(accumulate((len(layer.tensors) for layer in layers), initial=0))
        self.layers = [(layer, slice(*place)) for layer, place in zip(layers, pairwise(ends))]

    def alone(self, values: Tensor, *tensors: Tensor | None) -> Tensor:
        """All layers of one member."""
        for layer, place in self.layers:
            values = layer.alone(values, *tensors[place])
        return values

    def together(self, values: Tensor, *stacks: Tensor | None) -> Tensor:
        """Each layer of all members, (B, F) or (B, M, F) to (B, M, N), before the next one."""
        for layer, place in self.layers:
            assert layer.together is not None
            values = layer.together(values, stacks[place])
        return values

    def goes_together(self, values: Tensor, in_dims: Sequence[int | None]) -> bool:
        """Whether all members can be computed so: layers that can, over one vector per sample."""
        able = all(layer.together for layer, _ in self.layers)
        stacked = all(dim == 0 for dim, tensor in zip(in_dims[1:], self.tensors) if tensor is not None)
        if in_dims[0] is None:
            return able and stacked and values.dim() == 2 and self.layers[0][0].shared
        return able and stacked and values.dim() == 3


class _Each(torch.autograd.Function):
    """A chain of layers for each member of a stack; gradients are those of the layers themselves."""

    @staticmethod
    def forward(chain: _Chain, values: Tensor, *own: Tensor | None) -> Tensor:
        return chain.alone(values, *own)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept: outside of vmap the function is not used."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, chain: _Chain, values: Tensor, *own: Tensor | None) -> tuple[Tensor, int]:
        # Under vmap these are ordinary tensors of autograd (the backward pass runs outside of vmap), so the calls below
        # record their own gradients and the function needs no backward of its own.
        count = info.batch_size
        if chain.goes_together(values, in_dims[1:]):
            return chain.together(values if in_dims[1] is None else values.movedim(in_dims[1], 1), *own), 1
        # Unbound at once and not indexed member by member: the backward pass of each index would fill a gradient as
        # large as the whole stack with zeros.
        columns = [
            (tensor,) * count if tensor is None or dim is None else tensor.unbind(dim)  # one gradient for the stack
            for tensor, dim in zip((values, *own), in_dims[1:])
        ]
        outputs = [chain.alone(*member) for member in zip(*columns)]
        return torch.stack(outputs), 0


def one_by_one(network: nn.Module) -> nn.Module:
    """``network`` with its linear, convolutional and normalizing layers computed member by member under vmap.

    Where it is nothing but a chain of layers, it is computed so as a whole: vmap then has one call to keep account of.
    """
    layers = chained(network)
    for module in network.modules():
        if _kind(module) in _EACH and _kind(module) is not nn.ReLU:  # which is the same for a whole stack
            module.forward = types.MethodType(_alone, module)
    if layers:
        network.forward = types.MethodType(partial(_in_turn, layers=layers), network)
    return network


class _Layers(fx.Tracer):
    """Looks for the layers of a network, without looking into those that are computed member by member."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        """Whether ``module`` is such a layer; containers are not."""
        return _kind(module) in _EACH


def chained(network: nn.Module) -> list[nn.Module]:
    """The layers of ``network`` in their order, where each takes what the one before returns; else none."""
    try:
        nodes = list(_Layers().trace(network).nodes)
    except Exception:  # whatever it does that cannot be followed, or another number of arguments
        return []
    first, *inner, last = nodes
    in_turn = all(node.args == (before,) and not node.kwargs for before, node in pairwise(nodes))
    plain = all(node.op == "call_module" for node in inner) and len({node.target for node in inner}) == len(inner)
    if not (first.op == "placeholder" and last.op == "output" and in_turn and plain):
        return []
    return [network.get_submodule(str(node.target)) for node in inner]


def _kind(module: nn.Module) -> type:
    """By the exact type: a subclass may compute something else in its forward, and is better left to vmap, unless it
    says by which ``product`` of values, weight and bias it does.
    """
    kinds = (nn.Linear, nn.Conv1d) if hasattr(module, "product") else ()
    return next((kind for kind in kinds if isinstance(module, kind)), type(module))


def _in_turn(self: nn.Module, values: Tensor, layers: Sequence[nn.Module]) -> Tensor:
    """What ``layers`` make of ``values``."""
    chain = _Chain([_EACH[_kind(layer)](layer) for layer in layers])
    out: Tensor = _Each.apply(chain, values, *chain.tensors)
    return out


def _alone(self: nn.Module, values: Tensor) -> Tensor:
    """One layer, member by member."""
    return _in_turn(self, values, [self])


def _linear(layer: Any) -> Own:
    product = getattr(layer, "product", F.linear)
    return Own([layer.weight, layer.bias], product, rows.linear(product), shared=True)


def _convolution(layer: Any) -> Own:
    return Own([layer.weight, layer.bias], getattr(layer, "product", layer._conv_forward))


def _normalization(layer: Any) -> Own:
    momentum = 0.1 if layer.momentum is None else layer.momentum
    if layer.training and layer.num_batches_tracked is not None:
        layer.num_batches_tracked.add_(1)
    # The rule of nn.BatchNorm1d: without running statistics the batch's own serve in evaluation too.
    use = layer.training or layer.running_mean is None

    # batch_norm updates the running statistics in place. Unbinding gives views, so what it updates are the stacks.
    def each(x: Tensor, mean: Tensor | None, var: Tensor | None, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        return F.batch_norm(x, mean, var, weight, bias, use, momentum, layer.eps)

    together = rows.normalization(layer.num_features, use, momentum, layer.eps)
    return Own([layer.running_mean, layer.running_var, layer.weight, layer.bias], each, together)


def _rectification(layer: Any) -> Own:
    function = partial(F.relu, inplace=layer.inplace)
    return Own([], function, rows.elementwise(function))


_EACH: dict[type, Callable[[Any], Own]] = {
    nn.Linear: _linear,
    nn.Conv1d: _convolution,
    nn.BatchNorm1d: _normalization,
    nn.ReLU: _rectification,
}
