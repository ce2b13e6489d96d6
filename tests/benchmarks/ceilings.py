"""What this machine can do at the most: seconds of work that no implementation can leave out, at the best rate found.

Rates are measured in the process that asks, by CPU time, and the fastest of the installed libraries counts: matrix
products by MKL, oneDNN and NumPy, since each leaves vector instructions out on some processors. A row's *ceiling* is
such a time over its own; it is far below 1 where there is more to do than that work, and says by how much at the most
something could become faster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import prod

import numpy as np

from suite.evaluate.lookup import stable_descending
from tests.benchmarks.rows import least

PRODUCTS, HALF = "its products", "its products in bfloat16"
READING, SORTING = "reading it once", "sorting the scores once"
RUNS, STEPS = "the seconds of its runs", "the seconds of its steps"
SIZE = 2048  # rows, values and columns of the product that gives the rate
COPIED = 2**28  # bytes


def operations(work: Callable[[], object]) -> float:
    """Multiplications and additions of the products and convolutions that torch carries out in ``work``."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    # The operator that methods.networks.products calls, which torch does not count by itself.
    own = {torch.ops.mkldnn._linear_pointwise: _of_linear}
    with FlopCounterMode(display=False, custom_mapping=own) as counter:
        work()
    return float(counter.get_total_flops())


def _of_linear(values: Sequence[int], weight: Sequence[int], *_: object, **__: object) -> int:
    return 2 * prod(values) * weight[0]


def products(count: float, half: bool = False) -> float:
    """Seconds of ``count`` operations in one large matrix product, in float32 or in bfloat16 if ``half``."""
    return count / _product_rate(half)


def reading(size: float) -> float:
    """Seconds to read ``size`` bytes that are in memory."""
    return size / _reading_rate()


def sorting(scores: np.ndarray) -> float:
    """Seconds to sort ``scores`` along their last axis, once: by NumPy or by our order, whichever takes less."""
    return min(least(lambda: np.sort(scores, axis=-1)), least(lambda: stable_descending(scores)))


@cache
def _product_rate(half: bool) -> float:
    import torch
    import torch.nn.functional as F

    left, right = torch.randn(SIZE, SIZE), torch.randn(SIZE, SIZE)
    # The same product as a convolution of width one, which oneDNN computes.
    image = left.T.reshape(1, SIZE, 1, SIZE).contiguous(memory_format=torch.channels_last)
    kernel = right[..., None, None]
    routes: list[Callable[[], object]] = [lambda: left @ right, lambda: F.conv2d(image, kernel)]
    if half:
        small = left.bfloat16(), right.bfloat16()
        routes.append(lambda: small[0] @ small[1])
    else:
        plain = left.numpy(), right.numpy()
        routes.append(lambda: plain[0] @ plain[1])
    with torch.no_grad():
        return 2.0 * SIZE**3 / min(least(route) for route in routes)


@cache
def _reading_rate() -> float:
    held = np.ones(COPIED // 8)
    return COPIED / least(held.sum)
