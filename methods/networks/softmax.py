"""Softmax over few classes at the rate of many."""

from __future__ import annotations

import torch
from torch import Tensor

# torch's kernel takes the numbers of a row sixteen at a time, and one by one where there are fewer, three to four times
# as long as its single operations do (tests/benchmarks/bench_softmax.py). With snippets side by side there would be
# less to do, but a snippet's numbers would depend in their last bits on how many others there are and on the threads.
LEAST = 16


def class_softmax(logits: Tensor) -> Tensor:
    """``logits.softmax(dim=-1)`` of (..., C): of fewer than :data:`LEAST` classes on a CPU by single operations."""
    if logits.shape[-1] >= LEAST or logits.device.type != "cpu" or logits.dtype != torch.float32:
        return logits.softmax(dim=-1)
    powers = (logits - logits.detach().amax(dim=-1, keepdim=True)).exp()
    return powers / powers.sum(dim=-1, keepdim=True)
