"""Hyper-parameters: declared once, with default, range and provenance; and presets, which name whole settings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suite.errors import UsageError, did_you_mean

Value = bool | int | float | str
Presets = Mapping[str, Mapping[str, Value]]  # name of a preset to the parameters it sets


@dataclass(frozen=True)
class Hyper:
    """One declared hyper-parameter: its default, range and provenance."""

    default: Value
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Value, ...] = ()
    symbol: str = ""
    source: str = ""
    help: str = ""
    post: bool = False
    packed: bool = False
    file: bool = False
    timed: bool = False

    def check(self, value: Any, name: str, owner: str) -> Value:
        """``value`` as the declared type; raises :class:`UsageError` when it is of another type or out of range."""
        value = self._typed(value, name, owner)
        if self.choices and value not in self.choices:
            options = ", ".join(map(str, self.choices))
            raise UsageError(f"{owner}: {name}={value} is not a choice; use one of {options}.")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if not math.isfinite(value):
                raise UsageError(f"{owner}: {name}={value} is not a finite number; give a number.")
            if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
                raise UsageError(f"{owner}: {name}={value} is out of range; use a value in {self.span}.")
        return value

    @property
    def span(self) -> str:
        """The range in words, e.g. ``[0.05, 1]``."""
        low = "-∞" if self.low is None else f"{self.low:g}"
        high = "∞" if self.high is None else f"{self.high:g}"
        return f"[{low}, {high}]"

    def _typed(self, value: Any, name: str, owner: str) -> Value:
        kind = type(self.default)
        if kind is bool and str(value).lower() in ("true", "false", "1", "0"):
            return str(value).lower() in ("true", "1")
        try:
            if kind is int and not isinstance(value, bool) and float(value) == int(float(value)):
                return int(float(value))
            if kind is float and not isinstance(value, bool):
                return float(value)
        except (TypeError, ValueError, OverflowError):
            pass
        if kind is str and isinstance(value, str):
            return value
        raise UsageError(f"{owner}: {name}={value!r} is not of type {kind.__name__}; its default is {self.default!r}.")


def hyper(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    log: bool = False,
    choices: Sequence[Value] = (),
    symbol: str = "",
    source: str = "",
    help: str = "",
    post: bool = False,
    packed: bool = False,
    file: bool = False,
    timed: bool = False,
) -> Any:
    """Declare a hyper-parameter as a class attribute: ``q: float = hyper(0.7, low=0.05, high=1.0, symbol="q")``.

    ``post`` marks one that only post-processes scores (searched without training); ``packed`` marks one that may be a
    vector, one value per configuration, when many small networks train at once; ``file`` marks the path of a file whose
    content, not its path, names the run; ``timed`` marks one whose values take differently long: plans time each.
    """
    return Hyper(default, low, high, log, tuple(choices), symbol, source, help, post, packed, file, timed)


def extended(presets: Presets, **changes: Mapping[str, Value]) -> dict[str, dict[str, Value]]:
    """``presets`` with some of them changed and others added, for a class that extends its parent's.

    ``presets = extended(Parent.presets, published={"lr": 1e-3})`` keeps the parent's order (the first is the default);
    what a preset of the same name sets already stays, unless the change sets it too.
    """
    both = {name: dict(settings) for name, settings in presets.items()}
    for name, settings in changes.items():
        both[name] = {**both.get(name, {}), **settings}
    return both


def checked(presets: Presets, hypers: Mapping[str, Hyper], owner: str) -> dict[str, dict[str, Value]]:
    """``presets`` with values of the declared types; raises :class:`UsageError` for a wrong parameter or value."""
    return {
        preset: {name: _checked(name, value, hypers, f"{owner}, preset {preset}") for name, value in settings.items()}
        for preset, settings in presets.items()
    }


def _checked(name: str, value: Value, hypers: Mapping[str, Hyper], owner: str) -> Value:
    if name not in hypers:
        raise UsageError(f"{owner}: there is no parameter '{name}'{did_you_mean(name, hypers)}")
    return hypers[name].check(value, name, owner)
