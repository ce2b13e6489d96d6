"""How a method asks to be trained: phases with their optimizer, schedule, average of weights and stopping rule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Optimizer:
    """How weights move: ``adam`` (L2 added to the gradient), ``adamw`` (decoupled decay) or ``sgd``.

    ``epsilon`` is added to the root of Adam's second moment after the bias correction; with ``epsilon_hat`` before it,
    the other form that Kingma and Ba give (ICLR 2015, end of §2), which TensorFlow computes.
    """

    name: Literal["adam", "adamw", "sgd"] = "adam"
    lr: float = 1e-4
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    epsilon_hat: bool = False
    momentum: float = 0.0
    nesterov: bool = False


@dataclass(frozen=True)
class Schedule:
    """The learning rate over a phase, as a factor of the base rate (:mod:`suite.train.schedules` has the formulas).

    ``warmup-cosine``: linear from 0 over ``warmup`` epochs, then cosine to ``floor`` (an absolute rate);
    ``one-cycle``: rise over the first ``warmup`` fraction from 1/25, fall to 1/(25 · 10⁴);
    ``step``: linear from ``start`` times the base rate over ``warmup`` epochs, then times ``gamma`` at each epoch in
    ``milestones``.
    """

    kind: Literal["constant", "warmup-cosine", "one-cycle", "step"] = "constant"
    warmup: float = 0.0
    floor: float = 0.0
    start: float = 0.0
    milestones: tuple[float, ...] = ()
    gamma: float = 0.1


@dataclass(frozen=True)
class Average:
    """A moving average of the weights, kept beside the network: the teacher, or the weights that are evaluated.

    ``decay=1`` freezes it: the copy of the network at the phase's start. ``warmup`` uses
    ``min(decay, (a + n) / (b + n))`` after step n, with ``ramp = (a, b)``. Parameters whose name starts with one of
    ``exclude`` are copied.
    """

    decay: float = 0.999
    warmup: bool = False
    ramp: tuple[float, float] = (1.0, 10.0)
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stopping:
    """Stop when every watched curve on validation data had its best value more than ``patience`` evaluations ago.

    A curve is ``loss``, a metric of the task, ``headline`` (the task's), or ``selection``: the one that chooses epochs.
    """

    patience: int = 20
    watch: tuple[str, ...] = ("loss", "selection")


@dataclass(frozen=True)
class Phase:
    """One stretch of training. Give ``epochs`` or ``steps``; a method's list of phases is its whole schedule.

    ``start``: ``continue`` from the current weights, ``fresh`` weights, or the last phase's ``average``.
    ``trainable``: prefixes of the parameters that learn (all, if empty). ``evaluate_every`` counts epochs.
    ``evaluate``: which weights are scored; ``select=False`` keeps this phase's evaluation points out of the selection;
    ``fresh_optimizer=False`` goes on with the optimizer of the phase before (alternating schedules).
    """

    name: str = "train"
    epochs: int = 0
    steps: int = 0
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    start: Literal["continue", "fresh", "average"] = "continue"
    trainable: tuple[str, ...] = ()
    clip_norm: float | None = None
    average: Average | None = None
    evaluate: Literal["network", "average"] = "network"
    evaluate_every: int = 1
    select: bool = True
    fresh_optimizer: bool = True
    stopping: Stopping | None = None
