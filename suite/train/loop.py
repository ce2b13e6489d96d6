"""The one training loop: phases, epochs, steps; evaluation on validation and test data; exact resume.

Every random draw follows from (seed, phase, epoch), and checkpoints are taken between epochs: a training that was
killed and resumed ends with the same bytes as one that was not.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from suite.data.samples import TaskData
from suite.errors import TrainingError
from suite.method import Batch, Method, Phase, Run, Scores
from suite.tasks import Task
from suite.train.averaging import averaged_copy, update_average
from suite.train.budget import budgeted
from suite.train.derived import Derived
from suite.train.distributed import Workers, with_global_normalization
from suite.train.evaluation import Evaluation
from suite.train.optimizers import make_optimizer, set_rate
from suite.train.selection import Point, Selector
from suite.train.storage import saving
from suite.train.storage.curves import Curves
from suite.train.storage.reporter import Progress, Reporter

PRECISIONS = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Settings:
    """How to train, apart from what the method says; only seed, epochs and precision touch the result.

    ``checkpoint``: where to save and from where to resume (None: neither). ``cache``: folder for derived arrays.
    """

    seed: int = 0
    epochs: int | None = None
    precision: str = "float32"
    device: str = "cpu"
    checkpoint: Path | None = None
    checkpoint_seconds: float = 30.0
    cache: Path | None = None


@dataclass(frozen=True)
class Trained:
    """What a training leaves; ``complete`` is False when the reporter stopped it early.

    ``points`` by selection, ``curves`` as rows, the ``network`` with its last weights; raw ``scores`` by split of the
    last point, ``selected`` of the one that validation chose.
    """

    points: dict[str, Point]
    curves: list[dict[str, Any]]
    network: nn.Module
    scores: dict[str, Scores]
    selected: dict[str, Scores]
    parameters: int
    complete: bool


class _Objective(nn.Module):
    """The method's loss as a module, so that gradient averaging wraps whatever the method calls inside."""

    def __init__(self, method: Method, run: Run) -> None:
        super().__init__()
        self.network = run.network
        self.method, self.run = method, run

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return self.method.loss(self.network, batch, self.run)


class Loop:
    """One training of ``method`` on ``data``; :meth:`train` runs it to its end."""

    def __init__(self, method: Method, data: TaskData[Any], task: Task, settings: Settings, reporter: Reporter) -> None:
        self.method, self.data, self.settings, self.reporter = method, data, settings, reporter
        self.workers = Workers.current()
        self.phases = budgeted(method.phases(data), settings.epochs)
        self.curves = Curves()
        self.evaluation = Evaluation(method, data, task, self.curves, Selector(task))
        derived = Derived(settings.cache, data.fingerprint)
        device = torch.device(settings.device)
        self.run = Run(data, nn.Identity(), settings.seed, device, self.curves.note, derived.cached)
        self.optimizer: torch.optim.Optimizer | None = None
        self.scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "float16")
        self.steps_per_epoch = 1
        self.saved_at = time.monotonic()

    def train(self) -> Trained:
        """Run, or resume, every phase; without phases, evaluate once."""
        self.run.network = self._fresh_network(0)
        first, epoch = saving.resume(self)
        complete = True
        for index in range(first, len(self.phases)):
            if epoch == 0:
                self.enter(index)
            complete = self._run_phase(epoch)
            epoch = 0
            if not complete:
                break
        if not self.phases:
            self.evaluation.evaluate(self.run)
        parameters = sum(p.numel() for p in self.run.network.parameters())
        seen = self.evaluation
        points = seen.selector.points
        return Trained(points, self.curves.points, self.run.network, seen.scores, seen.selected, parameters, complete)

    # Phases -------------------------------------------------------------------------------------------------------

    def enter(self, index: int, begin: bool = True) -> None:
        """Make phase ``index`` the current one: weights, optimizer, average, and the method's own preparation.

        With ``begin=False`` (a resume) weights and memory are left for the checkpoint to fill.
        """
        run, phase = self.run, self.phases[index]
        run.phase, run.phase_index = phase, index
        if begin:
            run.epoch = run.step = 0
            self._start_weights(phase, index)
        run.network.requires_grad_(True)
        if self.optimizer is None or phase.fresh_optimizer or phase.start == "fresh":
            self.optimizer = make_optimizer(self.method, run.network, phase.optimizer)
        for name, parameter in run.network.named_parameters():
            parameter.requires_grad_(not phase.trainable or name.startswith(phase.trainable))
        run.teacher = averaged_copy(run.network) if phase.average else None
        if begin:
            self.method.begin(run)
            self.count_steps()

    def count_steps(self) -> None:
        """Ask for the steps of an epoch where the schedule or the budget needs them."""
        phase = self.run.phase
        if phase.steps or phase.schedule.kind != "constant":
            self.steps_per_epoch = max(1, self.method.steps_per_epoch(self.run, self._generator(0)))

    def _fresh_network(self, phase: int) -> nn.Module:
        torch.manual_seed(seed_of(self.settings.seed, phase))
        network = self.method.network(self.data).to(self.run.device)
        return with_global_normalization(network) if self.workers.size > 1 else network

    def _start_weights(self, phase: Phase, index: int) -> None:
        run = self.run
        if phase.start == "fresh" and index:
            run.network = self._fresh_network(index)
        if phase.start == "average" and run.teacher is not None:
            run.network.load_state_dict(run.teacher.state_dict())

    def _run_phase(self, epoch: int) -> bool:
        """The current phase from ``epoch`` on; False when the reporter asked to stop before its end."""
        run, phase = self.run, self.run.phase
        objective = self.workers.wrap(_Objective(self.method, run))
        over = self._is_over(epoch)
        while not over:
            run.epoch = epoch
            self._run_epoch(objective)
            epoch += 1
            over = self._is_over(epoch)
            if epoch % phase.evaluate_every == 0 or over:
                over = self._evaluate() or over
            go_on = self._report(epoch)
            done = over and run.phase_index == len(self.phases) - 1
            self._save(epoch, over, now=not go_on, done=done)
            if not go_on and not done:
                return False
        return True

    def _is_over(self, epoch: int) -> bool:
        phase = self.run.phase
        return self.run.step >= phase.steps if phase.steps else epoch >= phase.epochs

    def _evaluate(self) -> bool:
        """Take an evaluation point; whether the stopping rule ends the phase (the leader says, all follow)."""
        stop = False
        if self.workers.leads:
            self.evaluation.evaluate(self.run)
            stop = self.evaluation.stops(self.run)
        return self.workers.agree(stop, self.run.device)

    def _report(self, epoch: int) -> bool:
        """Tell the reporter where the training is and ask whether to go on."""
        done = sum(phase.epochs for phase in self.phases[: self.run.phase_index]) + epoch
        total = max(sum(phase.epochs for phase in self.phases), done)
        go_on = True
        if self.workers.leads:
            go_on = self.reporter.report(
                Progress(self.run.phase.name, epoch, done, total, self.curves.latest(self.run))
            )
        return self.workers.agree(go_on, self.run.device)

    def _save(self, epoch: int, over: bool, now: bool, done: bool) -> None:
        """Save a checkpoint when the last one is old, or ``now``; a phase that is over resumes at the next one.

        A training long enough to have a checkpoint leaves its end there too, until its rows are safe in the ledger.
        """
        path = self.settings.checkpoint
        if path is None or not self.workers.leads:
            return
        old = time.monotonic() - self.saved_at >= self.settings.checkpoint_seconds
        if old or now or (done and path.exists()):
            saving.save(self, epoch, over)
            self.saved_at = time.monotonic()

    # Epochs and steps ---------------------------------------------------------------------------------------------

    def _run_epoch(self, objective: nn.Module) -> None:
        run = self.run
        torch.manual_seed(seed_of(self.settings.seed, run.phase_index, run.epoch, self.workers.rank))
        self.method.begin_epoch(run)
        parts: list[dict[str, Tensor]] = []
        for batch in self.method.batches(run, self._generator(run.epoch)):
            parts.append(self._step(objective, batch))
            if run.phase.steps and run.step >= run.phase.steps:
                break
        if not parts:
            raise TrainingError(f"{self.method.name} drew no batch from {self.data.name}; lower its batch size.")
        for name in parts[0]:
            values = torch.stack([part[name] for part in parts]).double()
            self._check(name, values)
            self.curves.add(run, "train", name, float(self.workers.mean(values.mean())))

    def _step(self, objective: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """One optimizer step; returns this worker's loss parts, weighted by its share of the batch."""
        run, phase, optimizer = self.run, self.run.phase, self.optimizer
        assert optimizer is not None
        set_rate(optimizer, phase, run.step, self.steps_per_epoch)
        run.network.train()
        share, weight = self.workers.share(to_device(batch, run.device))
        kind = PRECISIONS.get(self.settings.precision)
        with torch.autocast(run.device.type, dtype=kind, enabled=kind is not None):
            parts = {name: part * weight for name, part in objective(share).items()}
        optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(torch.stack([part.float() if kind else part for part in parts.values()]).sum()).backward()
        if phase.clip_norm is not None:
            self.scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(run.network.parameters(), phase.clip_norm)
        self.scaler.step(optimizer)
        self.scaler.update()
        run.step += 1
        if phase.average and run.teacher is not None:
            update_average(run.teacher, run.network, phase.average, run.step)
        self.method.after_step(run)
        return {name: part.detach() for name, part in parts.items()}

    def _check(self, name: str, values: Tensor) -> None:
        """Stop a training whose loss is lost; looked at once an epoch, so that no step waits for the device."""
        if not torch.isfinite(values).all():
            step = int((~torch.isfinite(values)).nonzero()[0])
            place = f"phase '{self.run.phase.name}', epoch {self.run.epoch + 1}, batch {step + 1}"
            raise TrainingError(
                f"{self.method.name} on {self.data.name}: the loss '{name}' is {float(values[step]):g} in {place}; "
                "lower the learning rate or look at the features."
            )

    def _generator(self, epoch: int) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, self.run.phase_index, epoch])


def seed_of(*parts: int) -> int:
    """A seed for torch that differs for every combination of ``parts``."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1)


def to_device(batch: Any, device: torch.device) -> Any:
    """``batch`` with every tensor on ``device``."""
    if isinstance(batch, dict):
        return {name: to_device(part, device) for name, part in batch.items()}
    return batch.to(device, non_blocking=True) if isinstance(batch, Tensor) else batch
