"""Linear maps and convolutions over time by the faster of two libraries, chosen by size alone.

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
WIDE = 1024  # inputs of a convolution from which it is taken tap by tap


def linear(values: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``values`` (..., K) times ``weight`` (N, K) transposed plus ``bias`` (N,), as ``F.linear`` computes: (..., N)."""
    if not _takes(values, weight):
        return F.linear(values, weight, bias)
    out: Tensor = _Product.apply(values.reshape(-1, values.shape[-1]), weight, bias)
    return out.view(*values.shape[:-1], len(weight))


class Linear(nn.Linear):
    """``nn.Linear`` that computes by :func:`linear`, in stacks of networks too (``product``)."""

    product = staticmethod(linear)

    def forward(self, values: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        return linear(values, self.weight, self.bias)


def convolve(features: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1) -> Tensor:
    """Zero-padded convolution over time: (B, T, C_in) and (C_out, C_in / groups, k) give (B, ceil(T / stride), C_out).

    Runs as a two-dimensional channels-last convolution of height one, which needs no transposed copy; ``k`` is odd.
    """
    dense = stride == 1 and features.shape[2] == weight.shape[1]
    if dense and features.device.type == "cpu" and not torch.is_autocast_enabled("cpu"):
        out: Tensor = _Convolution.apply(features, weight, bias)
        return out
    groups = features.shape[2] // weight.shape[1]
    half = weight.shape[2] // 2
    image = F.conv2d(_image(features), weight.unsqueeze(2), bias, (1, stride), (0, half), groups=groups)
    return image.permute(0, 2, 3, 1).squeeze(1)


def _image(features: Tensor) -> Tensor:
    """(B, T, C) as an image of height one (B, C, 1, T)."""
    return features.unsqueeze(1).permute(0, 3, 1, 2)


def _takes(values: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN computes a product: float32 on a CPU, large enough in every direction, of rows without gaps."""
    plain = values.device.type == "cpu" and values.dtype == weight.dtype == torch.float32
    large = min(weight.shape) >= LEAST and values.numel() >= LEAST_ROWS * weight.shape[1]
    return plain and large and values.is_contiguous() and _available() and not torch.is_autocast_enabled("cpu")


def _available() -> bool:
    there = torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled
    return bool(there and hasattr(torch.ops.mkldnn, "_linear_pointwise"))  # an operator that torch does not document


class _Product(torch.autograd.Function):
    """A linear map by oneDNN, its gradients by MKL."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(values, weight)
        return _multiplied(values, weight, bias)

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


class _Convolution(torch.autograd.Function):
    """A convolution of stride 1 without groups. Its weights' gradient is a product for each tap.

    oneDNN's own kernel for that gradient reaches a sixth of a product's rate where channels come last.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(features, weight)
        if features.shape[2] >= WIDE and features.shape[1] >= LEAST and _takes(features, weight[:, :, 0]):
            return _by_taps(features, weight, bias)
        out = F.conv2d(_image(features), weight.unsqueeze(2), bias, padding=(0, weight.shape[2] // 2))
        return out.permute(0, 2, 3, 1).squeeze(1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, out: Tensor) -> tuple[Tensor | None, ...]:
        features, weight = ctx.saved_tensors
        of_features, of_weight, of_bias = ctx.needs_input_grad
        half, back = weight.shape[2] // 2, None
        if of_features:
            images = (_image(out), _image(features), weight.unsqueeze(2))
            rest = ([1, 1], [0, half], [1, 1], False, [0, 0], 1, [True, False, False])
            back = torch.ops.aten.convolution_backward(*images, None, *rest)[0].permute(0, 2, 3, 1).squeeze(1)
        return back, _of_taps(features, out, half) if of_weight else None, out.sum((0, 1)) if of_bias else None


def _by_taps(features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The convolution of (B, T, C_in) by (C_out, C_in, k) as one product for each tap: (B, T, C_out).

    oneDNN's convolution reaches three quarters of a product's rate where inputs are wide.
    """
    half = weight.shape[2] // 2
    out = _multiplied(features.flatten(0, 1), weight[:, :, half].contiguous(), bias)
    out = out.view(*features.shape[:2], len(weight))
    for tap in range(-half, half + 1):
        if tap:
            own = weight[:, :, half + tap].contiguous()
            for video, sums in zip(features, out):
                _without(sums, -tap).add_(_multiplied(_without(video, tap), own, None))
    return out


def _of_taps(features: Tensor, out: Tensor, half: int) -> Tensor:
    """(B, T, C_in) and (B, T, C_out) -> the gradient of the weights (C_out, C_in, 2 * half + 1)."""
    gradients = []
    for tap in range(-half, half + 1):
        if tap:
            sums = out.new_zeros(out.shape[2], features.shape[2])
            for video, own in zip(features, out):
                sums.addmm_(_without(own, -tap).t(), _without(video, tap))
            gradients.append(sums)
        else:
            gradients.append(out.flatten(0, 1).t() @ features.flatten(0, 1))
    return torch.stack(gradients, dim=2)


def _without(rows: Tensor, count: int) -> Tensor:
    """Rows (T, C) without the first ``count``, or where that is negative without the last ones."""
    return rows[max(count, 0) : len(rows) + min(count, 0)]


def _multiplied(values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """(M, K) times (N, K) transposed by oneDNN."""
    out: Tensor = torch.ops.mkldnn._linear_pointwise(values, weight, bias, "none", [], "")
    return out
