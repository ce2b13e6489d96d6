"""The space of a sweep for one method: each axis of the file filled in from what the method declares."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from suite.errors import UsageError, did_you_mean
from suite.hyper import Value
from suite.method import Hyper, Method
from suite.spec.base import canonical_json
from suite.spec.card import DatasetCard
from suite.spec.pinned import PinnedFile
from suite.spec.sweep import Axis, SweepSpec

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

Values = dict[str, Value]


@dataclass(frozen=True)
class Parameter:
    """One axis with nothing left open. ``dial``: it turns the dataset, not the method.

    A categorical parameter has ``choices``; the others ``low`` and ``high``, both included.
    """

    name: str
    kind: Literal["float", "int", "categorical"]
    default: Value
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: float | None = None
    choices: tuple[Value, ...] = ()
    points: int = 5
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    dial: bool = False
    post: bool = False
    packed: bool = False
    symbol: str = ""

    def distribution(self) -> BaseDistribution:
        """The axis as Optuna knows it."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.kind == "categorical":
            return CategoricalDistribution(self.choices)
        if self.kind == "int":
            return IntDistribution(int(self.low), int(self.high), self.log, int(self.step or 1))
        return FloatDistribution(self.low, self.high, self.log, self.step)

    def suggest(self, trial: Trial) -> Value:
        """The value that Optuna proposes."""
        if self.kind == "categorical":
            return cast(Value, trial.suggest_categorical(self.name, self.choices))
        if self.kind == "int":
            return trial.suggest_int(self.name, int(self.low), int(self.high), step=int(self.step or 1), log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, step=self.step, log=self.log)

    def every(self) -> list[Value]:
        """Every value of a finite axis."""
        if self.kind == "categorical":
            return list(self.choices)
        step = self.step or 1
        values = (self.low + i * step for i in range(int(self.size)))
        return [round(v) if self.kind == "int" else v for v in values]

    def grid(self) -> list[Value]:
        """The values that a grid visits, in order: the choices, every step, or ``points`` evenly spread ones."""
        if self.kind == "categorical":
            return list(self.choices)
        if self.step:
            return self.every()
        spread = _spread(self.low, self.high, self.points, self.log)
        # Ten digits drop the rounding noise of the spread: values enter the names of runs and must read as one writes
        # them.
        values: list[Value] = [round(v) if self.kind == "int" else float(f"{v:.10g}") for v in spread]
        return list(dict.fromkeys(values))

    def contains(self, value: Value) -> bool:
        """Whether the axis can take ``value``."""
        if self.kind == "categorical":
            return value in self.choices
        if isinstance(value, str) or not self.low <= value <= self.high:
            return False
        # Decimal steps do not add up exactly in binary; hence the tolerances here and in ``size``.
        steps = (value - self.low) / self.step if self.step else 0.0
        return abs(steps - round(steps)) < 1e-8

    @property
    def size(self) -> float:
        """How many values it can take (infinite for a range of real numbers)."""
        if self.kind == "categorical":
            return len(self.choices)
        if self.kind == "float" and not self.step:
            return math.inf
        return math.floor((self.high - self.low) / (self.step or 1) + 1e-9) + 1


@dataclass(frozen=True)
class Space:
    """The axes of one method, ordered so that an axis comes after those it depends on."""

    parameters: tuple[Parameter, ...]

    def suggest(self, trial: Trial) -> Values:
        """The values that Optuna proposes for the axes that exist."""
        values: Values = {}
        for parameter in self.parameters:
            if _exists(parameter, values):
                values[parameter.name] = parameter.suggest(trial)
        return values

    def distributions(self, values: Mapping[str, Value]) -> dict[str, BaseDistribution]:
        """The distributions of the axes in ``values``."""
        return {p.name: p.distribution() for p in self.parameters if p.name in values}

    def grid(self) -> Iterator[Values]:
        """Every configuration of the grid once, the last axis fastest."""
        return self._product([p.grid() for p in self.parameters])

    def every(self) -> Iterator[Values]:
        """Every configuration of a finite space once."""
        return self._product([p.every() for p in self.parameters])

    def _product(self, axes: Sequence[Sequence[Value]]) -> Iterator[Values]:
        seen: set[str] = set()
        for combination in itertools.product(*axes):
            # Combinations that differ only in axes which do not exist there are the same configuration.
            values = self.existing(dict(zip(self.names, combination)))
            if (key := self.key(values)) not in seen:
                seen.add(key)
                yield values

    def existing(self, values: Mapping[str, Value]) -> Values:
        """``values`` without the axes that do not exist under their conditions."""
        kept: Values = {}
        for parameter in self.parameters:
            if _exists(parameter, kept) and parameter.name in values:
                kept[parameter.name] = values[parameter.name]
        return kept

    def defaults(self) -> Values:
        """The method's (and dataset's) own values of the axes that exist there."""
        return self.existing({p.name: p.default for p in self.parameters})

    def contains(self, values: Mapping[str, Value]) -> bool:
        """Whether ``values`` is a whole configuration of this space."""
        existing = {p.name: p for p in self.parameters if _exists(p, values)}
        return set(existing) == set(values) and all(existing[name].contains(value) for name, value in values.items())

    def key(self, values: Mapping[str, Value]) -> str:
        """A text that is equal for equal configurations."""
        return canonical_json(dict(values))

    @property
    def names(self) -> tuple[str, ...]:
        """The axes' names, in order."""
        return tuple(p.name for p in self.parameters)

    @property
    def size(self) -> float:
        """At most this many configurations (conditions make it fewer)."""
        return math.prod(p.size for p in self.parameters)

    def trained(self) -> Space:
        """The axes that need training."""
        return Space(tuple(p for p in self.parameters if not p.post))

    def post(self) -> Space:
        """The axes that only post-process scores."""
        return Space(tuple(p for p in self.parameters if p.post))

    def __getitem__(self, name: str) -> Parameter:
        return next(p for p in self.parameters if p.name == name)


def space_of(spec: SweepSpec, method: type[Method], cards: Sequence[DatasetCard]) -> Space:
    """The axes of ``spec`` that ``method`` (or a dial of ``cards``) has; the rest belong to other methods of the sweep.

    Raises :class:`UsageError` for a value out of its declared range, a range without ends or a condition that can never
    hold.
    """
    own = [name for name in spec.space if name in method.hypers or all(name in card.dials for card in cards)]
    fixed = method.resolve({k: v for k, v in spec.params.items() if k in method.hypers})
    found = {name: _parameter(spec, name, method, cards, fixed) for name in own}
    for parameter in found.values():
        _check_condition(spec, parameter, found)
    return Space(tuple(_ordered(spec, found)))


def _parameter(
    spec: SweepSpec, name: str, method: type[Method], cards: Sequence[DatasetCard], fixed: Mapping[str, Value]
) -> Parameter:
    axis = spec.space[name]
    if name in method.hypers:
        return _filled(f"sweep {spec.name}: {method.name}", name, axis, method.hypers[name], fixed[name], dial=False)
    dial = cards[0].dials[name]
    declared = Hyper(dial.default, dial.low, dial.high, choices=dial.choices)
    return _filled(f"sweep {spec.name}: {cards[0].name}", name, axis, declared, dial.default, dial=True)


def _filled(owner: str, name: str, axis: Axis, declared: Hyper, default: Value, dial: bool) -> Parameter:
    """``axis`` completed by the declaration; its ends must lie inside the declared range."""
    common: dict[str, Any] = {"name": name, "default": default, "when": axis.when, "points": axis.points, "dial": dial}
    common |= {"post": declared.post, "packed": declared.packed, "symbol": declared.symbol}
    ranged = axis.low is not None or axis.high is not None
    choices = axis.choices or (() if ranged else declared.choices)
    if isinstance(declared.default, bool) and not choices:
        choices = (False, True)
    if choices:
        checked = tuple(_pinned(declared.check(choice, name, owner), declared) for choice in choices)
        return Parameter(kind="categorical", choices=checked, **common)
    if isinstance(declared.default, str):
        raise UsageError(f"{owner}: the axis '{name}' has no values to try; give it choices.")
    low, high = (
        given if given is not None else own for given, own in ((axis.low, declared.low), (axis.high, declared.high))
    )
    if low is None or high is None:
        raise UsageError(f"{owner}: the axis '{name}' has no {'low' if low is None else 'high'} end; give it one.")
    low, high = (float(declared.check(end, name, owner)) for end in (low, high))
    log = declared.log if axis.log is None else axis.log
    if not low < high or (log and low <= 0):
        problem = f"the range {low:g}..{high:g} is empty" if not low < high else f"logarithms need more than {low:g}"
        raise UsageError(f"{owner}: the axis '{name}' cannot be searched, {problem}; correct its low and high.")
    kind: Literal["float", "int"] = "int" if isinstance(declared.default, int) else "float"
    if log and (axis.step or (kind == "int" and low < 1)):
        raise UsageError(
            f"{owner}: the axis '{name}' cannot be logarithmic with a step or from 0; drop log or the step."
        )
    return Parameter(kind=kind, low=low, high=high, log=log, step=axis.step, **common)


def _pinned(choice: Value, declared: Hyper) -> Value:
    """A file with its checksum, as the ledger names it; any other value as it is."""
    is_file = declared.file and isinstance(choice, str) and Path(choice).is_file()
    return str(PinnedFile.parse(str(choice)).pin()) if is_file else choice


def _check_condition(spec: SweepSpec, parameter: Parameter, found: Mapping[str, Parameter]) -> None:
    for other, wanted in parameter.when.items():
        where = f"sweep {spec.name}: space.{parameter.name}"
        if other not in found:
            raise UsageError(f"{where} depends on '{other}', which the method lacks{did_you_mean(other, found)}")
        if not any(found[other].contains(value) for value in wanted):
            raise UsageError(
                f"{where} exists only where {other} is {' or '.join(map(str, wanted))}, which never happens."
            )


def _ordered(spec: SweepSpec, found: Mapping[str, Parameter]) -> list[Parameter]:
    """Parents before the axes that depend on them, otherwise as in the file."""
    ordered: dict[str, Parameter] = {}
    waiting = dict(found)
    while waiting:
        ready = [name for name, p in waiting.items() if all(other in ordered for other in p.when)]
        if not ready:
            raise UsageError(f"sweep {spec.name}: the axes {', '.join(waiting)} depend on each other; cut the circle.")
        ordered |= {name: waiting.pop(name) for name in ready}
    return list(ordered.values())


def _exists(parameter: Parameter, values: Mapping[str, Value]) -> bool:
    return all(other in values and values[other] in wanted for other, wanted in parameter.when.items())


def _spread(low: float, high: float, count: int, log: bool) -> list[float]:
    if count == 1:
        return [low]
    shares = [i / (count - 1) for i in range(count)]
    if log:
        return [low * (high / low) ** share for share in shares]
    return [low + (high - low) * share for share in shares]
