"""Finding what extends the suite: shipped modules, installed packages, and files of a user's own."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from suite.environment import PLUGINS
from suite.errors import SuiteError, UsageError, did_you_mean
from suite.spec.base import content_hash

Kind = TypeVar("Kind")
Chosen = TypeVar("Chosen")


def subclasses(kind: type[Kind], shipped: Iterable[str], group: str) -> dict[str, type[Kind]]:
    """The subclasses of ``kind`` that have a name, by name: of shipped modules, entry points and the user's files.

    Raises :class:`UsageError` for two of one name.
    """
    modules = [importlib.import_module(name) for name in shipped]
    modules += [importlib.import_module(point.module) for point in entry_points(group=group)]
    modules += [load_file(path) for path in PLUGINS.paths()]
    found: dict[str, type[Kind]] = {}
    for module in modules:
        for one in vars(module).values():
            own = isinstance(one, type) and issubclass(one, kind) and one.__module__ == module.__name__
            name = getattr(one, "name", "") if own else ""
            if name and found.setdefault(name, one) is not one:
                raise UsageError(f"two classes are called '{name}'; rename the one in {module.__file__}.")
    return dict(sorted(found.items()))


def modules_below(package: str) -> list[str]:
    """The names of all modules in ``package`` and its folders, sorted."""
    found = pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
    return sorted(info.name for info in found if not info.ispkg)


def load_file(path: str | Path) -> ModuleType:
    """The module in a Python file, executed once as long as the file stays as it is.

    Raises :class:`UsageError` for a file that is missing or cannot be imported.
    """
    file = Path(path).resolve()
    if not file.is_file():
        raise UsageError(f"there is no Python file {path}; correct its path.")
    return _loaded(file, file.stat().st_mtime_ns)


@lru_cache
def _loaded(file: Path, changed: int) -> ModuleType:
    name = f"suite_user_{file.stem}_{content_hash(str(file))}"  # files of one name in two folders are two modules
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise UsageError(f"{file} is no Python file; give one that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SuiteError as error:
        raise UsageError(f"{file}: {error}") from error
    except Exception as error:
        raise UsageError(f"{file} cannot be imported: {type(error).__name__}: {error}; correct that file.") from error
    return module


def make_own(address: str, what: str, options: Mapping[str, Any], **optional: Any) -> Any:
    """An object of the class at ``package.module:Name``, made with ``options`` and those ``optional`` ones it knows.

    ``what`` names in errors what it is. Raises :class:`UsageError` where there is no such class or it cannot be made.
    """
    place, _, name = address.partition(":")
    try:
        kind = getattr(importlib.import_module(place), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"there is no {what} '{address}' ({error}); write package.module:Name.") from None
    known = inspect.signature(kind).parameters
    try:
        return kind(**options, **{key: value for key, value in optional.items() if key in known})
    except Exception as error:
        raise UsageError(f"the {what} {address} cannot be made with its options: {error}.") from error


def chosen(name: str, table: Mapping[str, Chosen], what: str, options: Mapping[str, Any], own: Chosen) -> Chosen:
    """What ``table`` holds under ``name``, or ``own`` for a name that is the address of a class.

    Raises :class:`UsageError` for an unknown name, or for options where the table has no use of them.
    """
    if ":" in name:
        return own
    if name not in table:
        hint = did_you_mean(name, table)
        raise UsageError(f"there is no {what} '{name}'{hint} Your own is named package.module:Class.")
    if options:
        raise UsageError(f"the {what} {name} takes no options; leave them out.")
    return table[name]
