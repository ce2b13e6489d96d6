"""Steppers take the optimizer steps of the loop; this one trains a single network, alone or on workers.

:class:`suite.train.packed.stepper.Stacked` trains several networks at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from suite.method import Batch, Method, Run
from suite.train.averaging import averaged_copy, update_average
from suite.train.distributed import Workers, with_global_normalization
from suite.train.micro import Pieces
from suite.train.optimizers import make_optimizer, set_rate
from suite.train.training import Training

PINNED = 2**20  # bytes
PRECISIONS = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class Stepper(Protocol):
    """Moves the networks of ``trainings``, which see the same batches; those that end leave the list."""

    trainings: list[Training]

    def enter(self) -> None:
        """Prepare for the phase in which the trainings now are, and let the methods do so (``begin``)."""

    def begin_epoch(self) -> None:
        """Let the methods prepare their epoch."""

    def step(self, batch: Batch, steps_per_epoch: int) -> dict[str, Tensor]:
        """Take one optimizer step; returns the parts of the loss, (trainings,) each."""

    def hand_back(self) -> None:
        """Bring each training's network up to date, for its evaluation."""

    def keep(self, wanted: Sequence[bool]) -> None:
        """Go on with some of the trainings only."""


class Objective(nn.Module):
    """A method's loss as a module: its network's tensors can be swapped, its backward pass be shared by workers."""

    def __init__(self, method: Method, run: Run, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.method, self.run = method, run

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return self.method.loss(self.network, batch, self.run)


class Solo:
    """Trains one network as its phases say: optimizer, precision, clipping, teacher; with others on its workers.

    ``accumulate``: how many pieces a worker computes its part of a batch in, the gradients added up.
    """

    def __init__(self, training: Training, accumulate: int = 1) -> None:
        self.training, self.trainings, self.accumulate = training, [training], accumulate
        self.workers = Workers.current()
        self.precision = PRECISIONS.get(training.settings.precision)
        # bfloat16 has the range of float32, so only gradients of float16 can become too small to hold.
        enabled = self.precision == torch.float16
        self.scaler = torch.amp.GradScaler(training.run.device.type, enabled=enabled)
        self.optimizer: torch.optim.Optimizer | None = None
        self.objective: nn.Module | None = None
        training.run.network = self._fresh_network()

    def enter(self) -> None:
        """See :class:`Stepper`."""
        run = self.training.run
        # The network of the first phase was drawn when the stepper was made.
        if run.phase.start == "fresh" and run.phase_index:
            run.network = self._fresh_network()
        if run.phase.start == "average" and run.teacher is not None:
            run.network.load_state_dict(run.teacher.state_dict())
        self.prepare()
        self.training.method.begin(run)

    def prepare(self) -> None:
        """Optimizer, trainable parameters and teacher of the current phase (a resume then fills in their state)."""
        run, phase = self.training.run, self.training.run.phase
        # A phase before may have frozen some parameters; the optimizer is made while none is, for it may outlive this
        # phase.
        run.network.requires_grad_(True)
        if self.optimizer is None or phase.fresh_optimizer or phase.start == "fresh":
            self.optimizer = make_optimizer(self.training.method, run.network, phase.optimizer)
        for name, parameter in run.network.named_parameters():
            parameter.requires_grad_(not phase.trainable or name.startswith(phase.trainable))
        run.teacher = averaged_copy(run.network) if phase.average else None
        self.objective = None
        # A worker that took more pieces in the middle of a step would leave the others waiting.
        self.pieces = Pieces(run, run.network, self.accumulate, grows=self.workers.size == 1)

    def begin_epoch(self) -> None:
        """See :class:`Stepper`."""
        if self.objective is None:  # not before all weights are in place: wrapping copies the leader's to all workers
            self.objective = self.workers.wrap(
                Objective(self.training.method, self.training.run, self.training.run.network)
            )
        self.training.method.begin_epoch(self.training.run)

    def step(self, batch: Batch, steps_per_epoch: int) -> dict[str, Tensor]:
        """See :class:`Stepper`; the parts are this worker's, weighted by its share of the batch."""
        run, phase, optimizer = self.training.run, self.training.run.phase, self.optimizer
        assert optimizer is not None and self.objective is not None
        set_rate(optimizer, phase, run.step, steps_per_epoch)
        run.network.train()
        share, weight = self.workers.share(to_device(batch, run.device))
        parts = self.pieces.compute(share, partial(self._backward, weight), self._clear)
        if phase.clip_norm is not None:
            # The limit is for the true gradients and not for those multiplied by the loss scale.
            self.scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(run.network.parameters(), phase.clip_norm)
        self.scaler.step(optimizer)
        self.scaler.update()
        run.step += 1
        if phase.average and run.teacher is not None:
            update_average(run.teacher, run.network, phase.average, run.step)
        self.training.method.after_step(run)
        return {name: part.detach()[None] for name, part in parts.items()}

    def _clear(self) -> None:
        assert self.optimizer is not None
        self.optimizer.zero_grad(set_to_none=True)

    def _backward(self, weight: float, piece: Batch, share: float, last: bool) -> dict[str, Tensor]:
        """The loss parts of a piece of the batch times its share and this worker's ``weight``, and their gradient."""
        assert self.objective is not None
        half = self.precision is not None
        with nullcontext() if last else self.workers.apart(self.objective):
            with torch.autocast(self.training.run.device.type, dtype=self.precision, enabled=half):
                parts = {name: part * (weight * share) for name, part in self.objective(piece).items()}
            # Parts may be in half precision; they are added in single precision, where small ones are not lost.
            self.scaler.scale(torch.stack([part.float() if half else part for part in parts.values()]).sum()).backward()
        return parts

    def hand_back(self) -> None:
        """The network is the training's own."""

    def keep(self, wanted: Sequence[bool]) -> None:
        """See :class:`Stepper`."""
        self.trainings = [self.training] if any(wanted) else []

    def _fresh_network(self) -> nn.Module:
        network = self.training.fresh_network()
        return with_global_normalization(network) if self.workers.size > 1 else network


def to_device(batch: Any, device: torch.device) -> Any:
    """``batch`` with every tensor on ``device``."""
    if isinstance(batch, dict):
        return {name: to_device(part, device) for name, part in batch.items()}
    if not isinstance(batch, Tensor):
        return batch
    # From pinned memory the copy runs beside the work of the device; small tensors are not worth the pinning.
    if device.type == "cuda" and batch.device.type == "cpu" and batch.nbytes > PINNED:
        batch = batch.pin_memory()
    return batch.to(device, non_blocking=True)
