"""Sharing one training among workers so that it takes the same steps as one process would.

Each worker computes its share of every batch; shares are weighted so that the mean over workers is the mean over the
batch, and normalization layers see the whole batch. Results then agree up to the order of summation.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class Workers:
    """The group this process trains in: its ``rank`` among ``size`` workers."""

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> Workers:
        """The initialized process group, or a group of one."""
        if dist.is_available() and dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size())
        return cls()

    @property
    def leads(self) -> bool:
        """Whether this is the one process that evaluates, saves and reports."""
        return self.rank == 0

    def share(self, batch: Any) -> tuple[Any, float]:
        """This worker's part of ``batch`` and the weight that makes the mean over workers the batch's mean.

        A worker left without a sample gets the first one with weight 0, so that all take part in every step.
        """
        if self.size == 1:
            return batch, 1.0
        # DDP averages gradients over workers with equal weights, whatever their shares; a worker with more rows than
        # the average therefore weighs its loss up by that ratio.
        rows = rows_of(batch)
        mine = len(range(self.rank, rows, self.size))
        return _part(batch, self.rank, self.size), mine * self.size / max(1, rows)

    def wrap(self, module: nn.Module) -> nn.Module:
        """``module`` with gradients averaged over the workers in its backward pass."""
        if self.size == 1:
            return module
        # Frozen parts, and those that a phase's loss leaves out, get no gradient; DDP would wait for them.
        return nn.parallel.DistributedDataParallel(module, find_unused_parameters=True)

    def apart(self, module: nn.Module) -> AbstractContextManager[None]:
        """Inside, a backward pass of the wrapped ``module`` adds to this worker's gradients and exchanges none."""
        if isinstance(module, nn.parallel.DistributedDataParallel):
            return module.no_sync()
        return nullcontext()

    def agree(self, go_on: bool, device: torch.device) -> bool:
        """The leader's decision, known to all."""
        if self.size == 1:
            return go_on
        decision = torch.tensor([float(go_on)], device=device)
        dist.broadcast(decision, src=0)
        return bool(decision.item())

    def mean(self, values: Tensor) -> Tensor:
        """The mean of ``values`` over the workers."""
        if self.size > 1:
            dist.all_reduce(values)
            values = values / self.size
        return values


def rows_of(batch: Any) -> int:
    """Samples in ``batch``: rows of its first tensor that has any."""
    if isinstance(batch, Tensor):
        return batch.shape[0] if batch.ndim else 0
    counts = [rows_of(part) for part in (batch.values() if isinstance(batch, dict) else [])]
    return next((count for count in counts if count), 0)


def _part(batch: Any, rank: int, size: int) -> Any:
    if isinstance(batch, dict):
        return {name: _part(part, rank, size) for name, part in batch.items()}
    if isinstance(batch, Tensor) and batch.ndim:
        part = batch[rank::size]
        return part if len(part) else batch[:1]
    if isinstance(batch, list):
        return batch[rank::size] or batch[:1]
    return batch


class GlobalBatchNorm(nn.BatchNorm1d):
    """Batch normalization over the samples of all workers, on any device (torch's SyncBatchNorm needs GPUs)."""

    def forward(self, values: Tensor) -> Tensor:
        """Normalize (B, C) or (B, C, L) with the statistics of the whole group's batch."""
        if not self.training:
            return super().forward(values)
        from torch.distributed.nn.functional import all_reduce

        # Sums, sums of squares and counts in one exchange. Its backward pass sends gradients through the shared
        # statistics to the samples of all workers, as one process would.
        axes = [axis for axis in range(values.ndim) if axis != 1]
        count = values.new_tensor([values.numel() / values.shape[1]])
        sums = torch.cat([values.sum(axes), values.square().sum(axes), count])
        totals = all_reduce(sums)
        count, channels = totals[-1], values.shape[1]
        mean = totals[:channels] / count
        variance = totals[channels:-1] / count - mean.square()
        # Running variances are unbiased, n / (n - 1), as torch keeps them; the batch is normalized with the biased one.
        self._remember(mean.detach(), variance.detach() * count.detach() / (count.detach() - 1))
        shape = [1, -1] + [1] * (values.ndim - 2)
        normal = (values - mean.view(shape)) * torch.rsqrt(variance.view(shape) + self.eps)
        return normal * self.weight.view(shape) + self.bias.view(shape)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        momentum = 0.1 if self.momentum is None else self.momentum
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance, momentum)
            self.num_batches_tracked.add_(1)


def with_global_normalization(network: nn.Module) -> nn.Module:
    """``network`` with every BatchNorm1d replaced by one over all workers (same parameters and buffers)."""
    for name, child in network.named_children():
        if type(child) is nn.BatchNorm1d:
            # Changed in place: parameters and buffers keep their names, so that checkpoints fit with and without
            # workers.
            child.__class__ = GlobalBatchNorm
        else:
            setattr(network, name, with_global_normalization(child))
    return network
