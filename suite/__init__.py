"""Weak Action Suite: train, sweep, score and compare methods that learn from weak, noisy or incomplete video labels.

>>> import suite
>>> suite.load  # doctest: +ELLIPSIS
<function load at ...>

What a notebook wants, each loaded on first use, so that importing this costs nothing:

- ``train(method, dataset, **params)``: one run, answered from the ledger where it is there already;
- ``sweep(...)``, ``leaderboard(name)``: many runs; ``results()``: what the ledger holds, as a polars table;
- ``load(run_or_folder).predict(features)``: a kept model; ``evaluate(file, ...)``: score what others predicted.

These names are those of packages, too, which go on as such: ``from suite.evaluate import temporal_map``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

# What is called, and the module that holds it; the first are packages as well.
_PACKAGES = {
    "evaluate": "suite.api.looking",
    "leaderboard": "suite.api.boards",
    "results": "suite.api.looking",
    "sweep": "suite.api.searching",
    "train": "suite.api.training",
}
_LAZY = {
    "Board": "suite.api.boards",
    "Model": "suite.models.model",
    "Predicted": "suite.models.predicted",
    "SuiteError": "suite.errors",
    "Sweep": "suite.api.searching",
    "Trained": "suite.api.training",
    "load": "suite.api.looking",
}

__all__ = [*sorted(_LAZY), "__version__", *_PACKAGES]  # the public interface: tests hold it against docs


class _Callable(ModuleType):
    """A package that can also be called: ``suite.train(...)`` trains, and ``suite.train.loop`` is a module."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._function(*arguments, **options)

    @property
    def _function(self) -> Any:
        name = self.__name__.rpartition(".")[2]
        return getattr(import_module(_PACKAGES[name]), name)

    @property
    def __signature__(self) -> Any:
        from inspect import signature

        return signature(self._function)


class _Library(ModuleType):
    """This package: the import system sets each package inside it as an attribute when that is first imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _PACKAGES and isinstance(value, ModuleType):
            value.__class__ = _Callable
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Library


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"{__name__}.{name}")
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
