"""Taking nested dataclasses apart into named arrays plus a small JSON tree, and putting them together again."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from suite.data.storage.rows import LazyRows
from suite.errors import DataError

Node = dict[str, Any]


def class_name(kind: type) -> str:
    """How a stored class is called."""
    return f"{kind.__module__}:{kind.__qualname__}"


def flatten(
    value: Any, key: str, put: Callable[[str, np.ndarray | LazyRows], None], kinds: Sequence[type] = ()
) -> Node:
    """Describe ``value`` as JSON, handing every array to ``put`` under a dotted key such as ``train.features``.

    Takes arrays, dataclasses of the suite or of ``kinds``, mappings with text keys, lists, tuples, paths and plain
    values; raises :class:`DataError` for anything else, since an object that only this process understands cannot be
    stored.
    """
    if isinstance(value, (np.ndarray, LazyRows)):
        put(key, value)
        return {"array": key}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return {"value": value}
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, Mapping):
        return {
            "map": {str(name): flatten(part, f"{key}.{name}".lstrip("."), put, kinds) for name, part in value.items()}
        }
    if isinstance(value, (list, tuple)):
        parts = [flatten(part, f"{key}.{place}", put, kinds) for place, part in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": parts}
    kind = type(value)
    if is_dataclass(kind) and (kind in kinds or kind.__module__.startswith("suite.")):
        parts_by_name = {f.name: getattr(value, f.name) for f in fields(kind) if f.init}
        nodes = {name: flatten(part, f"{key}.{name}".lstrip("."), put, kinds) for name, part in parts_by_name.items()}
        return {"class": class_name(kind), "fields": nodes}
    raise DataError(
        f"the reader put a {kind.__name__} at '{key}', which cannot be stored; use arrays and plain values."
    )


def restore(node: Node, arrays: Mapping[str, np.ndarray], kinds: Mapping[str, type] = MappingProxyType({})) -> Any:
    """The value that :func:`flatten` described; ``kinds`` are classes from outside the suite by name."""
    if "array" in node:
        return arrays[node["array"]]
    if "class" in node:
        kind = kinds.get(node["class"]) or _suite_class(node["class"])
        return kind(**{field: restore(part, arrays, kinds) for field, part in node["fields"].items()})
    if "map" in node:
        return {name: restore(part, arrays, kinds) for name, part in node["map"].items()}
    if "tuple" in node:
        return tuple(restore(part, arrays, kinds) for part in node["tuple"])
    if "list" in node:
        return [restore(part, arrays, kinds) for part in node["list"]]
    return Path(node["path"]) if "path" in node else node["value"]


def _suite_class(called: str) -> Any:
    module, name = called.split(":")
    if not module.startswith("suite."):
        raise DataError(f"the store names a class outside the suite ({called}); delete it and prepare again.")
    return getattr(importlib.import_module(module), name)
