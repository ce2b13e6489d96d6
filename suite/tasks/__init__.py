"""The tasks, found by name: those shipped, those of installed packages, those in a user's own files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from suite import plugins
from suite.environment import PLUGINS
from suite.errors import UsageError, did_you_mean
from suite.tasks.base import ClassScores, Metric, Task

_INSTEAD: ContextVar[dict[str, Task] | None] = ContextVar("instead", default=None)

__all__ = ["ClassScores", "Metric", "Task", "answering", "task", "tasks"]


def task(name: str) -> Task:
    """The task called ``name``; raises :class:`UsageError` with the nearest known name."""
    known = tasks()
    if name not in known:
        raise UsageError(f"no task is called '{name}'{did_you_mean(name, known)}")
    return known[name]


def tasks() -> dict[str, Task]:
    """Every task by name, sorted."""
    instead = _INSTEAD.get()
    return _registered(PLUGINS.value) if instead is None else instead


@contextmanager
def answering(known: dict[str, Task]) -> Iterator[None]:
    """Answer with the tasks ``known`` in place of those that are registered (:func:`suite.index.declarations`)."""
    token = _INSTEAD.set(known)
    try:
        yield
    finally:
        _INSTEAD.reset(token)


@cache
def _registered(user_files: str) -> dict[str, Task]:
    shipped = [name for name in plugins.modules_below(__name__) if name.endswith(".task")]
    return {name: kind() for name, kind in plugins.subclasses(Task, shipped, "suite.tasks").items()}
