"""Optimizers over stacked parameters: every member has its own learning rate and weight decay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from suite.method import Optimizer
from suite.train.optimizers import takes_one_pass
from suite.train.training import Training


class StackedOptimizer:
    """Adam, AdamW or SGD as in torch.optim, element by element; ``parameters`` are stacks (members, ...).

    ``decay`` and ``scale`` give each parameter (members,) weight decays and factors of the learning rate.
    """

    def __init__(
        self,
        settings: Optimizer,
        parameters: Mapping[str, Tensor],
        decay: Mapping[str, Tensor],
        scale: Mapping[str, Tensor],
    ) -> None:
        self.settings, self.parameters = settings, dict(parameters)
        self.decay, self.scale = dict(decay), dict(scale)
        self.state: dict[str, list[Tensor]] = {}
        self.shaped: dict[str, Tensor] = {}
        self.decays = any(bool(values.any()) for values in self.decay.values())  # looked at once: a GPU waits for it
        self.one_pass = takes_one_pass(self.parameters.values())
        self.steps = dict.fromkeys(self.parameters, 0)  # of each, for the bias correction: not all move in every step

    @torch.no_grad()
    def step(self, rates: Tensor) -> None:
        """One update from the parameters' gradients with learning rates (members,)."""
        alike: dict[tuple[int, int], list[str]] = {}  # parameters with one count of steps and one factor of the rate
        for name, parameter in self.parameters.items():
            # As in torch.optim: what had no part in this step's loss keeps its moments and its count of steps.
            if parameter.grad is None:
                continue
            self.steps[name] += 1
            if self.settings.name == "sgd":
                rate, decay = (_like(values, parameter) for values in (rates * self.scale[name], self.decay[name]))
                self._sgd(name, parameter, parameter.grad, rate, decay)
            else:
                alike.setdefault((self.steps[name], id(self.scale[name])), []).append(name)
        move = self._adam_in_one_pass if self.one_pass else self._adam
        for (step, _), names in alike.items():
            for name in names:
                if name not in self.state:
                    self.state[name] = [torch.zeros_like(self.parameters[name]) for _ in range(2)]
            move(names, step, rates * self.scale[names[0]])

    def _adam_in_one_pass(self, names: Sequence[str], step: int, rate: Tensor) -> None:
        """One update of the parameters ``names`` by the kernel that moves each member alone: of all members at once
        where they have one rate and one decay, else of each.
        """
        decays = {name: self.decay[name].tolist() for name in names}
        if all(len(set(own)) == 1 for own in (rate.tolist(), *decays.values())):
            self._members_in_one_pass(slice(None), {name: own[0] for name, own in decays.items()}, step, float(rate[0]))
            return
        for member, own in enumerate(rate.tolist()):
            self._members_in_one_pass(member, {name: decays[name][member] for name in names}, step, own)

    def _members_in_one_pass(self, which: int | slice, decays: Mapping[str, float], step: int, rate: float) -> None:
        """One update of a member, or of all, with one rate; ``decays`` names the parameters."""
        kernel: Any = torch._fused_adamw_ if self.settings.name == "adamw" else torch._fused_adam_
        first, second = self.settings.betas
        common = {"lr": rate, "beta1": first, "beta2": second, "eps": self._epsilon(step)}
        for decay in set(decays.values()):
            names = [name for name, own in decays.items() if own == decay]
            parameters = [self.parameters[name] for name in names]
            gradients = [p.grad for p in parameters if p.grad is not None]
            moments = ([self.state[name][slot] for name in names] for slot in (0, 1))
            columns = [[stack[which] for stack in stacks] for stacks in (parameters, gradients, *moments)]
            steps = [torch.tensor(float(step))] * len(names)
            kernel(*columns, [], steps, **common, weight_decay=decay, amsgrad=False, maximize=False)

    def _epsilon(self, step: int) -> float:
        """What is added to the square root behind its bias correction.

        Kingma and Ba (2015, end of section 2), and TensorFlow after them, add epsilon-hat before it: behind it that is
        epsilon divided by the correction.
        """
        correction = (1 - self.settings.betas[1] ** step) ** 0.5
        return self.settings.epsilon / (correction if self.settings.epsilon_hat else 1.0)

    def _adam(self, names: Sequence[str], step: int, rate: Tensor) -> None:
        """One update of the parameters ``names``, all of them by one call for each operation."""
        parameters = [self.parameters[name] for name in names]
        gradients = [p.grad for p in parameters if p.grad is not None]
        decays = [self._decay_like(name) for name in names] if self.decays else []
        # Decoupled from the moments in AdamW (Loshchilov and Hutter 2019), part of the gradient, hence of the moments,
        # in Adam.
        if self.settings.name == "adamw":
            for parameter, decay in zip(parameters, decays):
                parameter.mul_(1 - _like(rate, parameter) * decay)
        elif decays:
            gradients = list(torch._foreach_add(gradients, torch._foreach_mul(decays, parameters)))
        means, squares = ([self.state[name][slot] for name in names] for slot in (0, 1))
        first, second = self.settings.betas
        # The operations and their order are those of torch.optim.Adam, so that a member differs from a run alone by
        # rounding at most.
        torch._foreach_lerp_(means, gradients, 1 - first)
        torch._foreach_mul_(squares, second)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - second)
        correction = (1 - second**step) ** 0.5
        spreads = torch._foreach_sqrt(squares)
        torch._foreach_div_(spreads, correction)
        torch._foreach_add_(spreads, self._epsilon(step))
        factor = (-rate / (1 - first**step)).to(parameters[0].dtype)
        moves = torch._foreach_mul([_like(factor, parameter) for parameter in parameters], means)
        torch._foreach_div_(moves, spreads)
        torch._foreach_add_(parameters, moves)

    def _decay_like(self, name: str) -> Tensor:
        """The weight decays of a parameter in its shape, computed once."""
        if name not in self.shaped:
            self.shaped[name] = _like(self.decay[name], self.parameters[name])
        return self.shaped[name]

    def _sgd(self, name: str, parameter: Tensor, gradient: Tensor, rate: Tensor, decay: Tensor) -> None:
        gradient = gradient + decay * parameter
        # The first velocity is the gradient itself, as in torch.optim.SGD without dampening.
        if self.settings.momentum:
            if name not in self.state:
                self.state[name] = [gradient.clone()]
            else:
                self.state[name][0].mul_(self.settings.momentum).add_(gradient)
            velocity = self.state[name][0]
            gradient = gradient + self.settings.momentum * velocity if self.settings.nesterov else velocity
        parameter.sub_(rate * gradient)

    def keep(self, members: Tensor, parameters: Mapping[str, Tensor]) -> None:
        """Go on with ``members`` (indices) only, whose stacks are ``parameters``."""
        self.parameters = {name: parameters[name] for name in self.parameters}
        self.decay = {name: values[members] for name, values in self.decay.items()}
        kept = {id(values): values[members] for values in self.scale.values()}
        self.scale = {name: kept[id(values)] for name, values in self.scale.items()}
        self.shaped = {}
        # The counts of steps stay as they are: a parameter moves in the same steps in all members.
        self.state = {name: [slot[members] for slot in slots] for name, slots in self.state.items()}


def groups_of(trainings: Sequence[Training]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weight decays and learning-rate factors (trainings,) of every parameter that some group of the methods holds."""
    rows = [_groups(training) for training in trainings]
    device = trainings[0].run.device
    decay = {name: torch.tensor([row[name][0] for row in rows], dtype=torch.float64, device=device) for name in rows[0]}
    factors = {name: tuple(row[name][1] for row in rows) for name in rows[0]}
    # One tensor for parameters of the same factors, which then share a call.
    shared = {own: torch.tensor(own, dtype=torch.float64, device=device) for own in set(factors.values())}
    return decay, {name: shared[own] for name, own in factors.items()}


def _groups(training: Training) -> dict[str, tuple[float, float]]:
    network, settings = training.run.network, training.run.phase.optimizer
    # Groups hold parameters without their names, and the stacks are known by name only.
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    found: dict[str, tuple[float, float]] = {}
    for group in training.method.parameter_groups(network):
        values = (float(group.get("weight_decay", settings.weight_decay)), float(group.get("lr_scale", 1.0)))
        found |= {names[id(parameter)]: values for parameter in group["params"]}
    return found


def clip_norms(parameters: Mapping[str, Tensor], limit: float) -> None:
    """Scale each member's gradient down to a norm of ``limit``, as ``clip_grad_norm_`` does for one network."""
    gradients = [p.grad for p in parameters.values() if p.grad is not None]
    squares = torch.stack([g.flatten(1).square().sum(1) for g in gradients]).sum(0)
    # The 1e-6 and the clamp are those of torch.nn.utils.clip_grad_norm_.
    factor = (limit / (squares.sqrt() + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(_like(factor, gradient))


def _like(values: Tensor, stack: Tensor) -> Tensor:
    """(members,) values shaped to multiply a stack (members, ...)."""
    # Rates and corrections are computed in double precision, as the Python numbers of torch.optim are, and rounded only
    # where they meet the weights.
    return values.to(stack.dtype).view(-1, *[1] * (stack.dim() - 1))
