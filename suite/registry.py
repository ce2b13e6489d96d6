"""Finding methods by name: those shipped, those of installed packages, those in a user's own files."""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from suite.errors import SuiteError, UsageError, did_you_mean
from suite.method import Method
from suite.spec.base import content_hash

USER_FILES = "SUITE_METHODS"  # files of user methods, separated as in PATH; inherited by every worker


def methods() -> dict[str, type[Method]]:
    """Every registered method by name, sorted."""
    return dict(sorted(_registered(os.environ.get(USER_FILES, "")).items()))


def method(name: str) -> type[Method]:
    """The method called ``name``, or by one of its aliases, in capitals or not.

    Raises :class:`UsageError` with the nearest known name.
    """
    known, called = methods(), _names(os.environ.get(USER_FILES, ""))
    canonical = called.get(name, called.get(name.lower(), ""))
    if canonical:
        return known[canonical]
    if name in (reported := published_only()):
        raise UsageError(f"{name} is known by its published numbers only: {reported[name]['reason']}.")
    raise UsageError(f"no method is called '{name}'{did_you_mean(name, called)}")


def names() -> list[str]:
    """Every name and alias that :func:`method` finds, sorted."""
    return sorted(_names(os.environ.get(USER_FILES, "")))


def canonical_name(name: str) -> str:
    """The name under which runs of the method ``name`` are stored; ``name`` itself where no such method is known."""
    called = _names(os.environ.get(USER_FILES, ""))
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


def add_user_files(files: Iterable[str | Path]) -> None:
    """Register the methods defined in ``files``, here and in every process started from here."""
    paths = [str(Path(f).resolve()) for f in files]
    present = [p for p in os.environ.get(USER_FILES, "").split(os.pathsep) if p]
    os.environ[USER_FILES] = os.pathsep.join([*present, *(p for p in paths if p not in present)])


@cache
def _registered(user_files: str) -> dict[str, type[Method]]:
    modules = [*_shipped_modules(), *_installed_modules(), *map(_load_file, filter(None, user_files.split(os.pathsep)))]
    found: dict[str, type[Method]] = {}
    for module in modules:
        for candidate in vars(module).values():
            if not _is_method(candidate) or candidate.__module__ != module.__name__:
                continue
            if found.setdefault(candidate.name, candidate) is not candidate:
                raise UsageError(f"two methods are called '{candidate.name}'; rename the one in {module.__file__}.")
    return found


@cache
def _names(user_files: str) -> dict[str, str]:
    """Every name and alias of a registered method, with the name that is stored."""
    registered = _registered(user_files)
    called = {name: name for name in registered}
    for found in registered.values():
        for alias in found.aliases:
            if called.setdefault(alias, found.name) != found.name:
                raise UsageError(f"both {called[alias]} and {found.name} are called '{alias}'; rename that of one.")
    return called


def _is_method(candidate: object) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, Method) and bool(candidate.name)


def _shipped_modules() -> list[ModuleType]:
    import methods as package

    names = (info.name for info in pkgutil.walk_packages(package.__path__, "methods.") if not info.ispkg)
    return [importlib.import_module(name) for name in sorted(names) if not name.startswith("methods.networks.")]


def _installed_modules() -> list[ModuleType]:
    return [importlib.import_module(point.module) for point in entry_points(group="suite.methods")]


def _load_file(path: str) -> ModuleType:
    file = Path(path)
    name = f"suite_user_methods_{file.stem}_{content_hash(path)}"  # files of one name in two folders are two modules
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise UsageError(f"cannot load methods from {path}; give the path of a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SuiteError as error:
        raise UsageError(f"{path} declares a method that cannot be: {error}") from error
    except Exception as error:
        raise UsageError(f"{path} cannot be imported: {type(error).__name__}: {error}; correct that file.") from error
    return module
