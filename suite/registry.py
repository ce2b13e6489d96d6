"""Finding methods by name: those shipped, those of installed packages, those in a user's own files."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

from suite import plugins
from suite.environment import PLUGINS
from suite.errors import UsageError, did_you_mean
from suite.method import Method

_INSTEAD: ContextVar[dict[str, type[Method]] | None] = ContextVar("instead", default=None)


def methods() -> dict[str, type[Method]]:
    """Every registered method by name, sorted."""
    instead = _INSTEAD.get()
    return _registered(PLUGINS.value) if instead is None else instead


@contextmanager
def answering(known: dict[str, type[Method]]) -> Iterator[None]:
    """Answer with the methods ``known`` in place of those that are registered (:func:`suite.index.declarations`)."""
    token = _INSTEAD.set(known)
    try:
        yield
    finally:
        _INSTEAD.reset(token)


def method(name: str) -> type[Method]:
    """The method called ``name``, or by one of its aliases, in capitals or not.

    Raises :class:`UsageError` with the nearest known name.
    """
    known, called = methods(), _called()
    canonical = called.get(name, called.get(name.lower(), ""))
    if canonical:
        return known[canonical]
    if name in (reported := published_only()):
        raise UsageError(f"{name} is known by its published numbers only: {reported[name]['reason']}.")
    raise UsageError(f"no method is called '{name}'{did_you_mean(name, called)}")


def method_for(name: str, params: Mapping[str, Any]) -> type[Method]:
    """The method called ``name`` for a run with ``params``: it starts from ``weights`` where these name any.

    Every method takes that parameter, whether it declares it or not.
    """
    chosen = method(name)
    if not params.get("weights"):
        return chosen
    from suite.weights.continued import started

    return started(chosen, params)


def names() -> list[str]:
    """Every name and alias that :func:`method` finds, sorted."""
    return sorted(_called())


def canonical_name(name: str) -> str:
    """The name under which runs of the method ``name`` are stored; ``name`` itself where no such method is known."""
    called = _called()
    return called.get(name, called.get(name.lower(), name))


@cache
def published_only() -> dict[str, dict[str, str]]:
    """Methods that tables quote but nobody can run here, by name: ``task``, ``title``, ``paper`` and the ``reason``."""
    import methods as package

    files = sorted(Path(package.__path__[0]).glob("*/published_only.toml"))
    found = [(tomllib.loads(file.read_text(encoding="utf-8")), file.parent.name) for file in files]
    return {
        entry["name"]: {**entry, "task": folder.replace("_", "-")}
        for values, folder in found
        for entry in values["methods"]
    }


@cache
def _registered(user_files: str) -> dict[str, type[Method]]:
    shipped = [name for name in plugins.modules_below("methods") if not name.startswith("methods.networks.")]
    return plugins.subclasses(Method, shipped, "suite.methods")


def _called() -> dict[str, str]:
    return _names(PLUGINS.value, _INSTEAD.get() is not None)


@cache
def _names(user_files: str, instead: bool) -> dict[str, str]:
    """Every name and alias of a method, with the name that is stored."""
    registered = methods()
    called = {name: name for name in registered}
    for found in registered.values():
        for alias in found.aliases:
            if called.setdefault(alias, found.name) != found.name:
                raise UsageError(f"both {called[alias]} and {found.name} are called '{alias}'; rename that of one.")
    return called
