"""Compute each distinct snippet once, then repeat: the same numbers as the naive form, without its repeated work.

About nine THUMOS videos in ten are shorter than the 750 positions a network sees, so most sampled rows repeat their
neighbour. A network that looks at one snippet alone gives repeated rows the same output.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

ScoresT = TypeVar("ScoresT", bound=tuple[Tensor, ...])


def once(
    network: Callable[[Tensor], ScoresT], store: Tensor, index: Tensor, workspace: Tensor | None = None
) -> ScoresT:
    """``network(store[index])`` for a per-snippet network: (B, T, ...).

    ``store`` (N, D) holds all feature rows, ``index`` (B, T) the rows a batch samples. Sampled rows of a video come in
    order, so equal neighbours are all repeats there are. Gradients of repeats add up. ``workspace`` (B · T, D) takes
    the gathered rows, which spares a large allocation in every step; it may be used again once the gradient is taken.
    """
    if index.device.type != "cpu":  # another device computes repeats sooner than it tells the host how many there are
        return network(store[index])
    distinct, place = torch.unique_consecutive(index.reshape(-1), return_inverse=True)
    target = None if workspace is None else workspace[: len(distinct)]
    outputs = network(torch.index_select(store, 0, distinct, out=target))
    shape, place = index.shape, place.reshape(-1)
    repeated = [out.index_select(0, place).reshape(*shape, *out.shape[1:]) for out in outputs]
    return type(outputs)(*repeated)
