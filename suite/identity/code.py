"""Prints of code: 16 hexadecimal digits that change with the source of what computes, and with nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

from suite.identity.numbers import makes_numbers
from suite.identity.source import Start, closure, digest
from suite.method import Method

LOOP = ("suite.method", "suite.train.loop")
STACK = "suite.train.packed.pack"  # the loop of runs that train as a stack
LOADING = "suite.data.loading"


def method_sources(method: type[Method], task_module: str) -> dict[str, str]:
    """Module to digest of its source, for all that trains and scores ``method``."""
    own = sys.modules[method.__module__].__file__
    first: Start = method.__module__ if makes_numbers(method.__module__) or own is None else Path(own)
    stack = [STACK] if any(declared.packed for declared in method.hypers.values()) else []
    return closure([first, task_module, *LOOP, *stack], makes_numbers)


def code_fingerprint(method: type[Method], task_module: str) -> str:
    """The print of the code that trains and scores ``method``; ``task_module`` holds its evaluator."""
    return digest(method_sources(method, task_module))[:16]


def reader_sources(reader: Start) -> dict[str, str]:
    """Module to digest of its source, for all that makes the arrays of a dataset read by ``reader``."""
    return closure([reader, LOADING], makes_numbers)


def reader_fingerprint(reader: Start) -> str:
    """The print of the code that reads a dataset; ``reader`` is a module or, for a user's file, its path."""
    return digest(reader_sources(reader))
