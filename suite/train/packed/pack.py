"""The training loop of :mod:`suite.train.loop` for a stack of networks: same draws, same steps, same evaluations."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from suite.method import Batch, Method, Phase, Run
from suite.train.derived import Derived
from suite.train.evaluation import Evaluation
from suite.train.loop import Trained, seed_of, to_device
from suite.train.packed.layers import one_by_one
from suite.train.packed.optimizers import StackedOptimizer, clip_norms, groups_of
from suite.train.prepared import Prepared
from suite.train.schedules import rate
from suite.train.selection import Selector
from suite.train.storage.curves import Curves

ASK_EVERY = 1.0  # seconds between questions whether to go on


@dataclass
class Member:
    """One configuration of a pack: its own method, run, curves and selections; ``error`` if its loss was lost."""

    method: Method
    phases: Sequence[Phase]
    run: Run
    curves: Curves
    evaluation: Evaluation
    error: str = ""

    def trained(self) -> Trained:
        """What the training of this member leaves."""
        parameters = sum(p.numel() for p in self.run.network.parameters())
        scores = self.evaluation.scores
        return Trained(
            self.evaluation.selector.points,
            self.curves.points,
            self.run.network,
            scores,
            self.evaluation.selected,
            parameters,
            True,
        )


class _Objective(nn.Module):
    """A method's loss as a module whose network's tensors can be swapped."""

    def __init__(self, method: Method, run: Run, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.method, self.run = method, run

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return self.method.loss(self.network, batch, self.run)


class Pack:
    """Trains the runs ``prepared``, which differ in packed parameters, learning rate and weight decay alone."""

    def __init__(
        self,
        prepared: Sequence[Prepared],
        phases: Sequence[Sequence[Phase]],
        cache: Path | None,
        device: str,
        going: Callable[[], bool],
    ) -> None:
        self.data, self.seed = prepared[0].data, prepared[0].spec.seed
        self.device, self.going = torch.device(device), going
        derived = Derived(cache, self.data.fingerprint)
        self.members = [self._member(one, own, derived) for one, own in zip(prepared, phases)]
        self.alive = list(self.members)
        self.packed = [name for name, declared in prepared[0].method.hypers.items() if declared.packed]
        self.optimizer: StackedOptimizer | None = None
        self.asked = time.monotonic()
        self.memories: list[dict[str, Tensor]] = []

    def _member(self, prepared: Prepared, phases: Sequence[Phase], derived: Derived) -> Member:
        curves = Curves()
        method = copy.copy(prepared.method)
        evaluation = Evaluation(method, self.data, prepared.task, curves, Selector(prepared.task))
        run = Run(self.data, nn.Identity(), self.seed, self.device, curves.note, derived.cached)
        torch.manual_seed(seed_of(self.seed, 0))
        run.network = method.network(self.data).to(self.device)
        run.phase = phases[0]
        method.begin(run)
        return Member(method, phases, run, curves, evaluation)

    def train(self) -> list[Member]:
        """Every member trained to its end; nothing, if the training was stopped before."""
        residents = self.members[0].run.residents
        for member in self.members:
            member.run.residents = residents
        self._stack()
        for index in range(len(self.members[0].phases)):
            self._enter(index)
            if not self._run_phase():
                return []
        return self.members

    # Stacks -------------------------------------------------------------------------------------------------------

    def _stack(self) -> None:
        """Stack the members' weights, buffers and hyper-parameters."""
        self.parameters, self.buffers = stack_module_state([m.run.network for m in self.alive])
        self._stack_values()

    def _stack_values(self) -> None:
        skeleton = copy.deepcopy(self.alive[0].run.network)
        self.skeleton = one_by_one(skeleton) if self.device.type == "cpu" else skeleton
        numbers = [name for name in self.packed if isinstance(getattr(self.alive[0].method, name), int | float)]
        self.hypers = {
            name: torch.tensor([getattr(m.method, name) for m in self.alive], dtype=torch.float64, device=self.device)
            for name in numbers
        }
        self._stack_memory()

    def _stack_memory(self) -> None:
        """Stack what the methods remember, when it is not the same tensors as last time."""
        now = [dict(member.run.memory) for member in self.alive]
        same = len(now) == len(self.memories) and all(
            a.keys() == b.keys() and all(a[name] is b[name] for name in a) for a, b in zip(now, self.memories)
        )
        if not same:
            self.memories = now
            self.memory = {name: torch.stack([memory[name] for memory in now]) for name in now[0]}

    @torch.no_grad()
    def _unstack(self) -> None:
        """Give every member its own weights back, for evaluation."""
        for index, member in enumerate(self.alive):
            for name, tensor in (*member.run.network.named_parameters(), *member.run.network.named_buffers()):
                tensor.copy_((self.parameters if name in self.parameters else self.buffers)[name][index])

    def _keep(self, wanted: Sequence[bool]) -> None:
        """Go on with some members only."""
        if all(wanted):
            return
        index = torch.tensor([i for i, keep in enumerate(wanted) if keep], device=self.device, dtype=torch.long)
        self.alive = [member for member, keep in zip(self.alive, wanted) if keep]
        if not self.alive:
            return
        self.parameters = {n: t.detach()[index].requires_grad_(t.requires_grad) for n, t in self.parameters.items()}
        self.buffers = {name: tensor[index] for name, tensor in self.buffers.items()}
        assert self.optimizer is not None
        self.optimizer.keep(index, self.parameters)
        self._stack_values()

    # Phases, epochs, steps ----------------------------------------------------------------------------------------

    def _enter(self, index: int) -> None:
        for member in self.alive:
            run = member.run
            run.phase, run.phase_index, run.epoch, run.step = member.phases[index], index, 0, 0
            if index:
                member.method.begin(run)
        phase = self.alive[0].run.phase
        for name, stack in self.parameters.items():
            stack.requires_grad_(not phase.trainable or name.startswith(phase.trainable))
        if self.optimizer is None or phase.fresh_optimizer:
            networks, optimizers = [m.run.network for m in self.alive], [m.run.phase.optimizer for m in self.alive]
            decay, scale = groups_of([m.method for m in self.alive], networks, optimizers, self.device)
            held = {name: stack for name, stack in self.parameters.items() if name in decay}
            self.optimizer = StackedOptimizer(phase.optimizer, held, decay, scale)
        self.steps_per_epoch = 1
        if phase.steps or phase.schedule.kind != "constant":
            first = self.alive[0]
            self.steps_per_epoch = max(1, first.method.steps_per_epoch(first.run, self._generator(first.run, 0)))

    def _run_phase(self) -> bool:
        """The current phase; False when the training was stopped."""
        phase, epoch, over = self.alive[0].run.phase, 0, False
        while not over and self.alive:
            self._run_epoch(epoch)
            epoch += 1
            if not self.alive:
                break
            over = self.alive[0].run.step >= phase.steps if phase.steps else epoch >= phase.epochs
            if epoch % phase.evaluate_every == 0 or over:
                self._evaluate()
            if not over and time.monotonic() - self.asked > ASK_EVERY:
                self.asked = time.monotonic()
                if not self.going():
                    return False
        return True

    def _run_epoch(self, epoch: int) -> None:
        first = self.alive[0]
        for member in self.alive:
            member.run.epoch = epoch
        torch.manual_seed(seed_of(self.seed, first.run.phase_index, epoch, 0))
        if type(first.method).begin_epoch is not Method.begin_epoch:
            self._begin_epoch()
        parts: list[dict[str, Tensor]] = []
        for batch in first.method.batches(first.run, self._generator(first.run, epoch)):
            parts.append(self._step(batch))
            if first.run.phase.steps and first.run.step >= first.run.phase.steps:
                break
        if not parts:
            raise ValueError("no batch was drawn")
        self._note_losses(parts)

    def _begin_epoch(self) -> None:
        """Let every member prepare its epoch by itself, with the draws that it would see alone."""
        self._unstack()
        state = torch.get_rng_state()
        for member in self.alive:
            torch.set_rng_state(state)
            member.method.begin_epoch(member.run)
        self._stack_memory()

    def _step(self, batch: Batch) -> dict[str, Tensor]:
        """One step of every member; the loss parts, (members,) each."""
        assert self.optimizer is not None
        phase = self.alive[0].run.phase
        self.skeleton.train()
        parts = self._losses(to_device(batch, self.device))
        for stack in self.parameters.values():
            stack.grad = None
        torch.stack(list(parts.values())).sum().backward()
        if phase.clip_norm is not None:
            clip_norms(self.parameters, phase.clip_norm)
        self.optimizer.step(self._rates())
        for member in self.alive:
            member.run.step += 1
        return {name: part.detach() for name, part in parts.items()}

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        template = self.alive[0]

        def loss(tensors: Mapping[str, Tensor], hypers: Mapping[str, Tensor], memory: dict[str, Tensor]) -> Any:
            method = copy.copy(template.method)
            for name, value in hypers.items():
                setattr(method, name, value)
            objective = _Objective(method, replace(template.run, memory=memory), self.skeleton)
            return functional_call(objective, {f"network.{k}": v for k, v in tensors.items()}, (batch,))

        stacks = {**self.parameters, **self.buffers}
        found: dict[str, Tensor] = vmap(loss, randomness="same")(stacks, self.hypers, self.memory)
        return found

    def _rates(self) -> Tensor:
        """The learning rate (members,) of this step."""
        runs = [member.run for member in self.alive]
        total = runs[0].phase.steps or runs[0].phase.epochs * self.steps_per_epoch
        now = [rate(r.phase.schedule, r.phase.optimizer.lr, r.step, total, self.steps_per_epoch) for r in runs]
        return torch.tensor(now, dtype=torch.float64, device=self.device)

    def _note_losses(self, parts: Sequence[Mapping[str, Tensor]]) -> None:
        """Add the epoch's mean losses to the curves; members whose loss is lost are told so and left behind."""
        for name in parts[0]:
            values = torch.stack([part[name] for part in parts]).double().cpu()
            for index, member in enumerate(self.alive):
                column = values[:, index]
                if not torch.isfinite(column).all():
                    member.error = member.error or _lost(member, self.data.name, name, column)
                    continue
                member.curves.add(member.run, "train", name, float(column.mean()))
        self._keep([not member.error for member in self.alive])

    def _evaluate(self) -> None:
        self._unstack()
        for member in self.alive:
            member.evaluation.evaluate(member.run)
        self._keep([not member.evaluation.stops(member.run) for member in self.alive])

    def _generator(self, run: Run, epoch: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, run.phase_index, epoch])


def _lost(member: Member, data: str, name: str, values: Tensor) -> str:
    step = int((~torch.isfinite(values)).nonzero()[0])
    place = f"phase '{member.run.phase.name}', epoch {member.run.epoch + 1}, batch {step + 1}"
    return (
        f"{member.method.name} on {data}: the loss '{name}' is {float(values[step]):g} in {place}; "
        "lower the learning rate or look at the features."
    )
