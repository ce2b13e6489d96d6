"""Optimizers over stacked parameters: every member has its own learning rate and weight decay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from suite.method import Optimizer
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
        self.steps = dict.fromkeys(self.parameters, 0)  # of each, for the bias correction: not all move in every step

    @torch.no_grad()
    def step(self, rates: Tensor) -> None:
        """One update from the parameters' gradients with learning rates (members,)."""
        for name, parameter in self.parameters.items():
            # As in torch.optim: what had no part in this step's loss keeps its moments and its count of steps.
            if parameter.grad is None:
                continue
            self.steps[name] += 1
            rate = rates * self.scale[name]
            decay = _like(self.decay[name], parameter)
            if self.settings.name == "sgd":
                self._sgd(name, parameter, parameter.grad, _like(rate, parameter), decay)
            else:
                self._adam(name, parameter, parameter.grad, rate, decay)

    def _adam(self, name: str, parameter: Tensor, gradient: Tensor, rate: Tensor, decay: Tensor) -> None:
        # Decoupled from the moments in AdamW (Loshchilov and Hutter 2019), part of the gradient, hence of the moments,
        # in Adam.
        if self.settings.name == "adamw":
            parameter.mul_(1 - _like(rate, parameter) * decay)
        else:
            gradient = gradient + decay * parameter
        if name not in self.state:
            self.state[name] = [torch.zeros_like(parameter), torch.zeros_like(parameter)]
        mean, square = self.state[name]
        (first, second), step = self.settings.betas, self.steps[name]
        # The operations and their order are those of torch.optim.Adam, so that a member differs from a run alone by
        # rounding at most.
        mean.lerp_(gradient, 1 - first)
        square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        correction = (1 - second**step) ** 0.5
        # Kingma and Ba (2015, end of section 2), and TensorFlow after them, add epsilon-hat to the square root before
        # its bias correction; behind the correction that is epsilon divided by it.
        epsilon = self.settings.epsilon / (correction if self.settings.epsilon_hat else 1.0)
        spread = (square.sqrt() / correction).add_(epsilon)
        parameter.add_(_like(-rate / (1 - first**step), parameter) * mean / spread)

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
        self.scale = {name: values[members] for name, values in self.scale.items()}
        # The counts of steps stay as they are: a parameter moves in the same steps in all members.
        self.state = {name: [slot[members] for slot in slots] for name, slots in self.state.items()}


def groups_of(trainings: Sequence[Training]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weight decays and learning-rate factors (trainings,) of every parameter that some group of the methods holds."""
    rows = [_groups(training) for training in trainings]
    device = trainings[0].run.device
    decay = {name: torch.tensor([row[name][0] for row in rows], dtype=torch.float64, device=device) for name in rows[0]}
    scale = {name: torch.tensor([row[name][1] for row in rows], dtype=torch.float64, device=device) for name in rows[0]}
    return decay, scale


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
