"""What a sweep is asked for: methods, datasets, the space, how it is searched, and what that may cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from suite.errors import UsageError
from suite.hyper import Value
from suite.spec.base import Spec
from suite.spec.resources import Resources
from suite.spec.run import Precision, Seed, Seeds

DEFAULT_TRIALS = 50  # of a sampler that would never end by itself
GRID_POINTS = 5  # of a range on a grid that says neither points nor step


class Axis(Spec):
    """One parameter of the space; what is left out is taken from the method's declaration of that parameter.

    ``choices`` (or ``grid``): only these values. ``points``: how many values of a range a grid visits. ``when``: the
    axis exists only where other axes have one of the given values, ``{threshold_kind = ["global", "class"]}``;
    elsewhere the parameter keeps its default.
    """

    low: float | None = None
    high: float | None = None
    step: Annotated[float, Field(gt=0)] | None = None
    log: bool | None = None
    choices: tuple[Value, ...] = ()
    points: Annotated[int, Field(ge=1)] = GRID_POINTS
    when: dict[str, tuple[Value, ...]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _grid(cls, values: Any) -> Any:
        return _renamed(values, "grid", "choices")

    @field_validator("when", mode="before")
    @classmethod
    def _lists(cls, when: Any) -> Any:
        return {k: v if isinstance(v, list | tuple) else (v,) for k, v in dict(when).items()}

    @model_validator(mode="after")
    def _not_empty(self) -> Axis:
        if self.choices and (self.low is not None or self.high is not None or self.step is not None):
            raise ValueError("has both choices and a range; keep one of them")
        if len(set(map(repr, self.choices))) < len(self.choices):
            raise ValueError("lists a choice twice; keep each once")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"the range {self.low:g}..{self.high:g} is empty; low must be below high")
        if self.log and self.low is not None and self.low <= 0:
            raise ValueError(f"a logarithmic range cannot begin at {self.low:g}; begin above 0")
        return self


class Sampler(Spec):
    """How configurations are proposed; ``startup`` configurations are random before a model-based sampler learns.

    ``name`` is one of :mod:`suite.sweep.samplers`, or ``package.module:Class``, made with ``options``. NSGA-II has a
    ``population``.
    """

    name: str = "tpe"
    options: dict[str, Any] = Field(default_factory=dict)
    startup: Annotated[int, Field(ge=1)] = 10
    population: Annotated[int, Field(ge=2)] = 20


SECONDS = "seconds"  # the objective that is no metric: what a run took


class Objective(Spec):
    """What is optimized, on validation data. ``metric``: a task's metric, or ``seconds`` (empty: the
    one by which the task chooses epochs).

    ``threshold`` is needed for metrics that are reported per threshold. Several datasets and seeds are averaged.
    """

    metric: str = ""
    threshold: float | None = None
    direction: Literal["maximize", "minimize"] = "maximize"
    split: Literal["validation"] = "validation"

    @field_validator("split", mode="before")
    @classmethod
    def _honest(cls, split: Any) -> Any:
        if split != "validation":
            raise ValueError(f"cannot be '{split}': sweeps choose on validation data only")
        return split


class Pruner(Spec):
    """When a configuration is stopped early, by one of :mod:`suite.sweep.pruners` or ``package.module:Class``, made
    with ``options``.

    ``median`` and ``asha`` (successive halving without waiting) look at the validation curve while it trains, after
    ``warmup`` evaluations; ``wilcoxon`` looks at a configuration's datasets and seeds one by one and stops at
    ``p`` below ``threshold``. ``startup`` configurations are never pruned.
    """

    name: str = "none"
    options: dict[str, Any] = Field(default_factory=dict)
    startup: Annotated[int, Field(ge=0)] = 5
    warmup: Annotated[int, Field(ge=1)] = 1
    reduction: Annotated[int, Field(ge=2)] = 3
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.1


class Budget(Spec):
    """When no further trial starts: ``trials`` in a study's whole life, ``hours`` of one command; and ``epochs`` a run.

    Without either, a grid is visited whole and other samplers stop after 50 trials.
    """

    trials: Annotated[int, Field(ge=1)] | None = None
    hours: Annotated[float, Field(gt=0)] | None = None
    epochs: Annotated[int, Field(ge=1)] | None = None


class PrintedPoint(Spec):
    """A point that a paper reports: its parameters, what was measured there if known, and what it is."""

    params: dict[str, Value]
    value: float | None = None
    note: str = ""
    best: bool = False


class SweepSpec(Spec):
    """One sweep. Every method has studies of its own; ``across = "each"`` also gives every dataset its own study, and
    ``"mean"`` judges one configuration by its mean over the datasets.

    ``params`` are fixed for all trials. ``points`` are configurations tried first (the whole sweep, where no space is
    given); ``default`` adds the methods' own settings, to compare with. ``inner`` is how many settings of
    post-processing parameters are tried on the scores of each training; ``packed`` how many configurations may train
    as one stacked network (0: never). Failed runs are tried ``retries`` times more.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str = ""
    figure: str = ""
    about: str = ""
    published: tuple[PrintedPoint, ...] = ()
    methods: tuple[str, ...] = Field(min_length=1)
    datasets: tuple[str, ...] = Field(min_length=1)
    protocol: str = "default"
    across: Literal["each", "mean"] = "each"
    params: dict[str, Value] = Field(default_factory=dict)
    space: dict[str, Axis] = Field(default_factory=dict)
    points: tuple[dict[str, Value], ...] = ()
    default: bool = True
    sampler: Sampler = Sampler()
    objectives: tuple[Objective, ...] = (Objective(),)
    seeds: Seeds = (0,)
    pruner: Pruner = Pruner()
    budget: Budget = Budget()
    resources: Resources = Resources()
    concurrency: Annotated[int, Field(ge=0)] = 0
    packed: Annotated[int, Field(ge=0)] = 16
    inner: Annotated[int, Field(ge=1)] = 1000
    retries: Annotated[int, Field(ge=0)] = 1
    seed: Seed = 0
    precision: Precision = "float32"

    @model_validator(mode="before")
    @classmethod
    def _singular(cls, values: Any) -> Any:
        return _renamed(values, "objective", "objectives")

    @field_validator("sampler", "pruner", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("objectives", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        several = value if isinstance(value, list | tuple) else [value]
        return tuple({"metric": one} if isinstance(one, str) else one for one in several)

    @field_validator("seeds", mode="before")
    @classmethod
    def _counted(cls, value: Any) -> Any:
        return tuple(range(value)) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("space", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return {name: {} for name in value}
        if isinstance(value, Mapping):
            return {k: {"choices": v} if isinstance(v, list | tuple) else v for k, v in value.items()}
        return value

    @model_validator(mode="after")
    def _agrees(self) -> SweepSpec:
        if not self.space and not self.points:
            raise ValueError("neither space nor points are given; name at least one parameter to vary")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds must be a number of seeds above 0, or a list of different ones")
        if not self.objectives:
            raise ValueError("objectives is empty; name a metric, or leave it out for the task's own choice")
        if both := sorted(set(self.space) & set(self.params)):
            raise ValueError(f"'{both[0]}' is fixed in params and varied in space; keep one of them")
        for name, axis in self.space.items():
            if unknown := [other for other in axis.when if other not in self.space]:
                raise ValueError(f"space.{name} depends on '{unknown[0]}', which is no axis of the space")
        if len(self.objectives) > 1 and self.pruner.name != "none":
            raise ValueError("a sweep with several objectives cannot prune; leave the pruner out")
        return self

    @property
    def instances(self) -> int:
        """Runs of one trial: seeds, times datasets where they are averaged."""
        return len(self.seeds) * (len(self.datasets) if self.across == "mean" else 1)


def parse_over(text: str) -> dict[str, Axis]:
    """The axes of ``--over``: ``q=0.1..1,beta,lr=1e-5..1e-2:log,neighbours=5/10/15``.

    A bare name takes its declared range. Raises :class:`UsageError` for anything else.
    """
    axes: dict[str, Axis] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, span = (side.strip() for side in part.partition("="))
        if not name or name in axes or (equals and not span):
            raise UsageError(
                f"--over {part} is not one axis; write name, name=low..high or name=a/b/c, each name once."
            )
        axes[name] = _axis(name, span) if span else Axis()
    if not axes:
        raise UsageError("--over names no parameter; write --over q=0.1..1,beta.")
    return axes


def _axis(name: str, span: str) -> Axis:
    if ".." not in span:
        return Axis(choices=tuple(as_value(choice) for choice in span.split("/")))
    ends, _, scale = span.partition(":")
    low, _, high = ends.partition("..")
    try:
        axis = Axis(low=float(low), high=float(high), log=scale == "log" or None)
    except ValueError:
        raise UsageError(f"--over {name}={span} is not a range from low to high; write {name}=0.1..1.") from None
    if scale not in ("", "log") or not (math.isfinite(float(low)) and math.isfinite(float(high))):
        raise UsageError(f"--over {name}={span} is not a finite range; write {name}=0.1..1 or {name}=1e-5..1e-2:log.")
    return axis


def _renamed(values: Any, other: str, name: str) -> Any:
    """A table in which the key ``other`` may stand for ``name``."""
    if isinstance(values, Mapping) and other in values:
        if name in values:
            raise ValueError(f"has both {other} and {name}; keep one of them")
        return {name if key == other else key: value for key, value in values.items()}
    return values


def as_value(text: str) -> Value:
    """``text`` as a truth value, a whole number, a number or itself."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
