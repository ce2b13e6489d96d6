"""Gradient accumulation: a batch computed piece by piece is the same step up to the order of summation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from suite.errors import TrainingError, UsageError
from suite.method import Batch, Run
from suite.train.distributed import Workers, rows_of

Losses = dict[str, Tensor]
# The loss parts of a piece times its weight, after their backward pass; whether it is the last of its batch.
Backward = Callable[[Batch, float, bool], Losses]


class Pieces:
    """How many pieces a batch is cut into: ``count``, and if it ``grows`` twice as many whenever memory runs out.

    Pieces are weighted by their samples, as the shares of workers are, so that the sum of their gradients is the
    batch's. What a loss puts into ``run.memory`` is put there once: every piece finds what was there before.
    """

    def __init__(self, run: Run, network: nn.Module, count: int = 1, grows: bool = True) -> None:
        self.run, self.count, self.grows = run, count, grows
        self.normalizes = any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in network.modules())
        if count > 1 and self.normalizes:
            raise UsageError(
                "this network normalizes over its batch, so that pieces of a batch would give other numbers; leave "
                "--accumulate out."
            )

    def compute(self, batch: Batch, backward: Backward, clear: Callable[[], None]) -> Losses:
        """The parts of the loss of ``batch``, whose gradients are then added up.

        ``clear`` removes gradients. Raises :class:`TrainingError` where smaller pieces cannot help.
        """
        while True:
            memory = dict(self.run.memory)
            clear()
            try:
                return self._sum(batch, backward, memory)
            except torch.OutOfMemoryError as error:
                if not self.grows:
                    raise
                # Asked for outside of this block, what the failed attempt holds would not be free yet.
                reason = str(error).splitlines()[0]
            self._remember(memory)
            self._double(batch, reason)

    def _sum(self, batch: Batch, backward: Backward, memory: dict[str, Tensor]) -> Losses:
        count = _even(self.count, _groups(batch))
        if count == 1:
            return backward(batch, 1.0, True)
        total: Losses = {}
        for place, (piece, weight) in enumerate(_cut(batch, count), start=1):
            self._remember(memory)
            parts = backward(piece, weight, place == count)
            total = {name: part.detach() + total.get(name, 0.0) for name, part in parts.items()}
        return total

    def _remember(self, memory: dict[str, Tensor]) -> None:
        self.run.memory.clear()
        self.run.memory.update(memory)

    def _double(self, batch: Batch, reason: str) -> None:
        groups = _groups(batch)
        if self.normalizes:
            raise TrainingError(
                f"out of memory ({reason}); this network normalizes over its batch, so that smaller pieces would give "
                "other numbers: lower the batch size or use a device with more memory."
            )
        count = min(2 * self.count, *groups)
        if count == self.count or _even(count, groups) < count:
            raise TrainingError(
                f"out of memory ({reason}) with {self.count} pieces of a batch that cannot be cut further; lower the "
                "batch size or use a device with more memory."
            )
        self.count = count
        self.run.log("micro-batches", float(self.count))
        torch.cuda.empty_cache()  # does nothing where CUDA is not in use


def _cut(batch: Batch, count: int) -> Iterator[tuple[Batch, float]]:
    """``count`` pieces, each with its share of the samples."""
    for rank in range(count):
        piece, weight = Workers(rank, count).share(batch)
        yield piece, weight / count


def _even(count: int, groups: list[int]) -> int:
    """The most pieces up to ``count`` that a batch with samples in ``groups`` can be cut into.

    Labelled and unlabelled samples are means of their own: each piece must hold the same share of both.
    """
    if len(groups) == 1:
        return max(1, min(count, groups[0]))
    shared = math.gcd(*groups)
    return next((pieces for pieces in range(min(count, shared), 1, -1) if shared % pieces == 0), 1)


def _groups(batch: Batch) -> list[int]:
    """The samples of each nested batch, or of the whole where nothing is nested."""
    nested = [rows_of(part) for part in batch.values() if isinstance(part, dict)]
    return nested or [rows_of(batch)]
