"""Prints of code: 16 hexadecimal digits that change with the source of what computes, and with nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from suite.identity.numbers import makes_numbers
from suite.identity.source import Start, closure, digest
from suite.method import Method

LOOP = ("suite.method", "suite.train.start", "suite.train.loop")
STACK = "suite.train.packed.stepper"  # for runs that train as a stack
LOADING = "suite.data.loading"


def method_sources(method: type[Method], task: type) -> dict[str, str]:
    """Module to digest of its source, for all that trains ``method`` and scores it as ``task`` does."""
    packs = any(declared.packed for declared in method.hypers.values())
    return _training_sources(home(method), home(task), packs, getattr(method, "code_beside", ()))


@cache
def _training_sources(method: Start, task: Start, packs: bool, beside: tuple[str, ...] = ()) -> dict[str, str]:
    """Looked at once in a process, which goes on computing with the code that it has when somebody edits a file."""
    # A run that can be packed may be carried out alone or packed, so both ways are in its name.
    return _sources(method, task, *LOOP, *([STACK] if packs else []), *beside)


def code_fingerprint(method: type[Method], task: type) -> str:
    """The print of the code that trains ``method`` and scores it as ``task``, a class, does."""
    return digest(method_sources(method, task))[:16]


def reader_sources(reader: Start) -> dict[str, str]:
    """Module to digest of its source, for all that makes the arrays of a dataset read by ``reader``."""
    return _sources(reader, LOADING)


def reader_fingerprint(reader: Start) -> str:
    """The print of the code that reads a dataset; ``reader`` is a module or, for a user's file, its path."""
    return digest(reader_sources(reader))[:16]


def function_sources(function: Callable[..., Any]) -> dict[str, str]:
    """Module to digest of its source, for the module that defines ``function`` and all that it uses."""
    return _sources(home(function.func if isinstance(function, partial) else function))


def function_fingerprint(function: Callable[..., Any]) -> str:
    """The print of the module that defines ``function`` and of all that it uses."""
    return digest(function_sources(function))[:16]


def home(thing: Any) -> Start:
    """The module that defines a class or function, or its file where it was not imported by its own name.

    A class that stands for one elsewhere (:func:`suite.index.declarations`) says so in ``home``.
    """
    elsewhere: Start | None = getattr(thing, "home", None)
    if elsewhere is not None:
        return elsewhere
    name: str = thing.__module__
    file = Path(sys.modules[name].__file__ or "")
    place = file.parent if file.stem == "__init__" else file.with_suffix("")
    return name if place.name == name.rpartition(".")[2] else file


def _sources(start: Start, *more: Start) -> dict[str, str]:
    """The sources of what makes numbers; all of a package that is not the suite's does, if it is asked at all."""
    return dict(_of_modules(start, *more)) if isinstance(start, str) else _walked(start, *more)


@cache
def _of_modules(*starts: str) -> dict[str, str]:
    """A board asks for the same reader and the same task over and over; modules are read once in a process anyway."""
    return _walked(*starts)


def _walked(start: Start, *more: Start) -> dict[str, str]:
    own = start.split(".")[0] if isinstance(start, str) and not start.startswith(("suite.", "methods.")) else ""
    return closure([start, *more], partial(_counts, own) if own else makes_numbers)


def _counts(own: str, module: str) -> bool:
    return makes_numbers(module) or module.split(".")[0] == own
