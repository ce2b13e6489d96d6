"""A batch that does not fit a device's memory, computed piece by piece: the same step up to the order of summation."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from suite.errors import TrainingError
from suite.method import Batch, Run
from suite.train.distributed import Workers, rows_of

Losses = dict[str, Tensor]


class Pieces:
    """How many pieces a batch is cut into: one, and twice as many whenever the device is out of memory.

    Pieces are weighted by their samples, as the shares of workers are, so that the sum of their gradients is the
    batch's. What a loss puts into ``run.memory`` is put there once: every piece finds what was there before.
    """

    def __init__(self, run: Run, network: nn.Module) -> None:
        self.run, self.count = run, 1
        self.normalizes = any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in network.modules())

    def compute(self, batch: Batch, backward: Callable[[Batch, float], Losses], clear: Callable[[], None]) -> Losses:
        """The parts of the loss of ``batch``, whose gradients are then added up.

        ``backward(piece, weight)`` computes the loss parts of a piece times its weight, and their gradient; ``clear``
        removes gradients. Raises :class:`TrainingError` where smaller pieces cannot help.
        """
        while True:
            memory = dict(self.run.memory)
            clear()
            try:
                return self._sum(batch, backward, memory)
            except torch.OutOfMemoryError as error:
                # Asked for outside of this block, what the failed attempt holds would not be free yet.
                reason = str(error).splitlines()[0]
            self._remember(memory)
            self._double(batch, reason)

    def _sum(self, batch: Batch, backward: Callable[[Batch, float], Losses], memory: dict[str, Tensor]) -> Losses:
        if self.count == 1:
            return backward(batch, 1.0)
        total: Losses = {}
        for piece, weight in self._cut(batch):
            self._remember(memory)
            parts = backward(piece, weight)
            total = {name: part.detach() + total.get(name, 0.0) for name, part in parts.items()}
        return total

    def _remember(self, memory: dict[str, Tensor]) -> None:
        self.run.memory.clear()
        self.run.memory.update(memory)

    def _cut(self, batch: Batch) -> Iterator[tuple[Batch, float]]:
        """The pieces, each with its share of the samples."""
        for rank in range(self.count):
            piece, weight = Workers(rank, self.count).share(batch)
            if weight:
                yield piece, weight / self.count

    def _double(self, batch: Batch, reason: str) -> None:
        groups = _groups(batch)
        if self.normalizes:
            raise TrainingError(
                f"out of memory ({reason}); this network normalizes over its batch, so that smaller pieces would give "
                "other numbers: lower the batch size or use a device with more memory."
            )
        # Labelled and unlabelled samples are means of their own: each piece must hold the same share of both.
        count = min(2 * self.count, *groups)
        if count == self.count or (len(groups) > 1 and any(rows % count for rows in groups)):
            raise TrainingError(
                f"out of memory ({reason}) with {self.count} pieces of a batch that cannot be cut further; lower the "
                "batch size or use a device with more memory."
            )
        self.count = count
        self.run.log("micro-batches", float(self.count))
        torch.cuda.empty_cache()  # does nothing where CUDA is not in use


def _groups(batch: Batch) -> list[int]:
    """The samples of each nested batch, or of the whole where nothing is nested."""
    nested = [rows_of(part) for part in batch.values() if isinstance(part, dict)]
    return nested or [rows_of(batch)]
