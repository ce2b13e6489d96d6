"""Softmax over few classes beside torch's own: ``python -m tests.benchmarks.bench_softmax``.

A forward and a backward pass over 24,000 snippets.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from methods.networks.softmax import class_softmax
from tests.benchmarks.ceilings import reading
from tests.benchmarks.rows import Row, least, record

SNIPPETS = 24_000
ARRAYS = 4  # logits, what is made of them, and the gradients of both


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    for classes in (5, 10, 15):
        logits = torch.randn(SNIPPETS, classes, requires_grad=True)
        back = torch.randn(SNIPPETS, classes)

        def seconds(function: Callable[[Tensor], Tensor], logits: Tensor = logits, back: Tensor = back) -> float:
            return least(lambda: function(logits).backward(back), repeats=30)

        theirs, ours = seconds(lambda values: values.softmax(dim=-1)), seconds(class_softmax)
        share = reading(ARRAYS * logits.nbytes) / ours
        what = f"softmax of {SNIPPETS:,} snippets, {classes} classes"
        record(Row("softmax", what, "torch's", theirs / ours, ours, share, bound="reading its arrays once"))


if __name__ == "__main__":
    main()
