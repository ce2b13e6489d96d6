"""Steps a stack of networks at once: same draws, same batches, and for each the numbers that it would have alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from suite.method import Batch, Method
from suite.train.optimizers import phase_rate
from suite.train.packed.layers import one_by_one
from suite.train.packed.optimizers import StackedOptimizer, clip_norms, groups_of
from suite.train.stepper import Objective, to_device
from suite.train.training import Training

Memory = dict[str, Tensor]


class Stacked:
    """Trains networks whose runs differ in packed parameters, learning rate and weight decay alone.

    Weights, buffers, packed parameters and memories are stacks (trainings, ...); a step maps the loss over them.
    """

    def __init__(self, trainings: Sequence[Training]) -> None:
        self.trainings = list(trainings)
        self.device = self._first.run.device
        self.optimizer: StackedOptimizer | None = None
        self.memory: Memory = {}
        self.handed: list[Memory] = [{} for _ in self.trainings]  # what each run's memory held when last in step
        for training in self.trainings:
            training.run.network = training.fresh_network()
        self.parameters, self.buffers = stack_module_state([t.run.network for t in self.trainings])

    @property
    def _first(self) -> Training:
        return self.trainings[0]

    def enter(self) -> None:
        """See :class:`suite.train.stepper.Stepper`."""
        # First, since a method may load or change weights here.
        self._each(lambda training: training.method.begin(training.run))
        for training in self.trainings:
            training.run.residents = self._first.run.residents  # the same data: held once
        self._take_weights()
        phase = self._first.run.phase
        for name, stack in self.parameters.items():
            stack.requires_grad_(not phase.trainable or name.startswith(phase.trainable))
        # Parameters that no group holds do not move, as with torch.optim.
        if self.optimizer is None or phase.fresh_optimizer:
            decay, scale = groups_of(self.trainings)
            held = {name: stack for name, stack in self.parameters.items() if name in decay}
            self.optimizer = StackedOptimizer(phase.optimizer, held, decay, scale)
        self._stack_values()

    def begin_epoch(self) -> None:
        """See :class:`suite.train.stepper.Stepper`."""
        # Bringing all weights back copies them, which only a method that looks at them between epochs is worth.
        if type(self._first.method).begin_epoch is not Method.begin_epoch:
            self.hand_back()
            self._each(lambda training: training.method.begin_epoch(training.run))
        self._stack_memories()

    def step(self, batch: Batch, steps_per_epoch: int) -> dict[str, Tensor]:
        """See :class:`suite.train.stepper.Stepper`."""
        assert self.optimizer is not None
        phase = self._first.run.phase
        self.skeleton.train()
        parts = self._losses(to_device(batch, self.device))
        for stack in self.parameters.values():
            stack.grad = None
        # One backward pass for all: members share no weight, so the gradient of the sum holds each member's own
        # gradient.
        torch.stack(list(parts.values())).sum().backward()
        if phase.clip_norm is not None:
            clip_norms(self.parameters, phase.clip_norm)
        rates = [phase_rate(t.run.phase, t.run.step, steps_per_epoch) for t in self.trainings]
        self.optimizer.step(torch.tensor(rates, dtype=torch.float64, device=self.device))
        for training in self.trainings:
            training.run.step += 1
        return {name: part.detach() for name, part in parts.items()}

    @torch.no_grad()
    def hand_back(self) -> None:
        """See :class:`suite.train.stepper.Stepper`."""
        for row, own in self._rows():
            # Into the tensors that the network has already: the method, and whatever it keeps, may refer to them.
            own.copy_(row)
        for index, training in enumerate(self.trainings):
            training.run.memory = {name: stack[index] for name, stack in self.memory.items()}
        # These very objects are remembered: a method that replaces one is recognized by identity, without comparing
        # values.
        self.handed = [dict(training.run.memory) for training in self.trainings]

    def keep(self, wanted: Sequence[bool]) -> None:
        """See :class:`suite.train.stepper.Stepper`."""
        places = [place for place, keep in enumerate(wanted) if keep]
        self.trainings = [self.trainings[place] for place in places]
        if not self.trainings:
            return
        index = torch.tensor(places, device=self.device)
        # Rows taken from a stack are no leaves of the graph; detached and marked again, they collect gradients of their
        # own.
        self.parameters = {n: t.detach()[index].requires_grad_(t.requires_grad) for n, t in self.parameters.items()}
        self.buffers = {name: stack[index] for name, stack in self.buffers.items()}
        self.memory = {name: stack[index] for name, stack in self.memory.items()}
        self.handed = [self.handed[place] for place in places]
        assert self.optimizer is not None
        self.optimizer.keep(index, self.parameters)
        self._stack_values()

    # Stacks -------------------------------------------------------------------------------------------------------

    def _rows(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Each row of the stacks of weights and buffers, with the tensor of the network that it belongs to."""
        for index, training in enumerate(self.trainings):
            for name, own in (*training.run.network.named_parameters(), *training.run.network.named_buffers()):
                yield (self.parameters if name in self.parameters else self.buffers)[name][index], own

    @torch.no_grad()
    def _take_weights(self) -> None:
        """Bring the stacks up to date with the networks, which ``begin`` may have changed."""
        for row, own in self._rows():
            row.copy_(own)

    def _each(self, act: Callable[[Training], None]) -> None:
        """Let every method act by itself, with the random draws that it would see alone."""
        # Run alone, every one of them would find the generator in this state; it is left where one of them leaves it.
        state = torch.get_rng_state()
        for training in self.trainings:
            torch.set_rng_state(state)
            act(training)

    def _stack_values(self) -> None:
        """Stack the packed parameters and the memories, and copy one network, with which the losses are computed."""
        # A copy, since its layers get other forward methods; the network itself is still used to evaluate.
        skeleton = copy.deepcopy(self._first.run.network)
        self.skeleton = one_by_one(skeleton) if self.device.type == "cpu" else skeleton
        method = self._first.method
        packed = [name for name, declared in method.hypers.items() if declared.packed]
        # In double precision, as the Python numbers for which they stand.
        self.hypers = {
            name: torch.tensor(
                [getattr(t.method, name) for t in self.trainings], dtype=torch.float64, device=self.device
            )
            for name in packed
            if isinstance(getattr(method, name), int | float)
        }
        self._stack_memories()

    def _stack_memories(self) -> None:
        """Stack what the methods remember anew, where that is not what they were given."""
        now = [training.run.memory for training in self.trainings]
        for name in now[0]:
            # Stacked anew only where a method replaced a tensor: otherwise the stack itself is newer than its rows.
            if any(own[name] is not handed.get(name) for own, handed in zip(now, self.handed, strict=True)):
                self.memory[name] = torch.stack([own[name] for own in now])
        self.memory = {name: self.memory[name] for name in now[0]}
        self.handed = [dict(own) for own in now]

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        """The parts of the loss, (trainings,) each; what the methods remember of the batch goes into the memory."""
        template = self._first

        def loss(tensors: Mapping[str, Tensor], hypers: Mapping[str, Tensor], memory: Memory) -> tuple[Memory, Memory]:
            # Copies: a member's values must not stay on the method, and what the loss writes into the memory is
            # returned.
            method, run = copy.copy(template.method), replace(template.run, memory=memory)
            for name, value in hypers.items():
                setattr(method, name, value)
            objective = Objective(method, run, self.skeleton)
            parts = functional_call(objective, {f"network.{name}": t for name, t in tensors.items()}, (batch,))
            return parts, run.memory

        stacks = {**self.parameters, **self.buffers}
        # The same draws in each member (dropout, noise): runs alone have the same seeds, hence the same draws.
        parts, memory = vmap(loss, randomness="same")(stacks, self.hypers, self.memory)
        self.memory = {name: stack.detach() for name, stack in memory.items()}
        found: dict[str, Tensor] = parts
        return found
