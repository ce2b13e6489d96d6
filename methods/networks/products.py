"""Linear maps by the faster of two libraries, chosen by size alone.

torch multiplies float32 matrices by MKL, which uses only half of the vector width on processors of some makers; oneDNN,
which computes torch's convolutions, uses all of it everywhere. On the others both are as fast. The choice looks at
shapes and never at a clock or a processor, so that the same program takes the same route on every machine.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# A product with fewer rows, columns or terms a sum is over before oneDNN has put its operands in order. For the same
# reason gradients, which need transposed operands, are MKL's (tests/benchmarks/bench_products.py).
LEAST, LEAST_ROWS = 128, 512


def linear(values: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``values`` (..., K) times ``weight`` (N, K) transposed plus ``bias`` (N,), as ``F.linear`` computes: (..., N)."""
    if not takes(values, weight):
        return F.linear(values, weight, bias)
    out: Tensor = _Product.apply(values.reshape(-1, values.shape[-1]), weight, bias)
    return out.view(*values.shape[:-1], len(weight))


class Linear(nn.Linear):
    """``nn.Linear`` that computes by :func:`linear`, in stacks of networks too (``product``)."""

    product = staticmethod(linear)

    def forward(self, values: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        return linear(values, self.weight, self.bias)


def takes(values: Tensor, weight: Tensor, least: int = LEAST) -> bool:
    """Whether oneDNN computes a product: float32 on a CPU, large enough in every direction, of rows without gaps.

    ``least``: from how many columns and terms of a sum on it is large.
    """
    plain = values.device.type == "cpu" and values.dtype == weight.dtype == torch.float32
    large = min(weight.shape) >= least and values.numel() >= LEAST_ROWS * weight.shape[1]
    return plain and large and values.is_contiguous() and _available() and not torch.is_autocast_enabled("cpu")


def _available() -> bool:
    there = torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled
    return bool(there and hasattr(torch.ops.mkldnn, "_linear_pointwise"))  # an operator that torch does not document


class _Product(torch.autograd.Function):
    """A linear map by oneDNN, its gradients by MKL."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(values, weight)
        return multiplied(values, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, out: Tensor) -> tuple[Tensor | None, ...]:
        values, weight = ctx.saved_tensors
        of_values, of_weight, of_bias = ctx.needs_input_grad
        return (
            out @ weight if of_values else None,
            out.t() @ values if of_weight else None,
            out.sum(0) if of_bias else None,
        )


def multiplied(values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """(M, K) times (N, K) transposed by oneDNN."""
    out: Tensor = torch.ops.mkldnn._linear_pointwise(values, weight, bias, "none", [], "")
    return out
