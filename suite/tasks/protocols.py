"""From a dataset's protocol to the switches of an evaluator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from suite.errors import UsageError, did_you_mean

ProtocolT = TypeVar("ProtocolT")
READER = "reader"  # keys of a protocol that are the reader's own stand under it


def with_switches(
    settings: Mapping[str, Any], key: str, find: Callable[[str], ProtocolT], default: ProtocolT, measure: str
) -> ProtocolT:
    """The protocol of a ``measure`` that ``settings`` name under ``key``, else ``default``, its fields overridden.

    Raises :class:`UsageError` for a switch that the protocol lacks.
    """
    base: Any = find(str(settings[key])) if key in settings else default
    known = {field.name for field in fields(base)}
    given = {name: value for name, value in settings.items() if name not in (key, READER)}
    for name in given:
        if name not in known:
            raise UsageError(f"the protocol's '{name}' is no switch of {measure}{did_you_mean(name, known)}")
    made: ProtocolT = replace(base, **{name: tuple(v) if isinstance(v, list) else v for name, v in given.items()})
    return made
