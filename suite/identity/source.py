"""Python source as content: which modules a piece of code is made of, and a digest that only code changes."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from suite.identity.canonical import canonical, without_typing

Start = str | Path  # a module by its dotted name, or a file by its path


def closure(starts: Iterable[Start], counts: Callable[[str], bool]) -> dict[str, str]:
    """Name to digest of ``starts`` and of every module they import that ``counts``. Nothing is executed.

    A file given by its path always counts; it goes by its name without folder.
    """
    digests: dict[str, str] = {}
    waiting = list(starts)
    while waiting:
        item = waiting.pop()
        name = item.name if isinstance(item, Path) else item
        path = item if isinstance(item, Path) else module_path(item) if counts(item) else None
        if name not in digests and path is not None and path.is_file():
            digests[name], imported = _parsed(path, path.stat().st_mtime_ns)
            waiting.extend(imported)
    return digests


def digest(sources: dict[str, str]) -> str:
    """SHA-256 of named digests, whatever their order."""
    lines = "".join(f"{name}\0{sources[name]}\0" for name in sorted(sources))
    return hashlib.sha256(lines.encode()).hexdigest()


def module_path(name: str) -> Path | None:
    """The file of the module called ``name``, or None for what is no module; no package is imported but the top one."""
    top, _, rest = name.partition(".")
    root = _top_folder(top)
    if root is None:
        return None
    place = root.joinpath(*rest.split(".")) if rest else root
    module = place.with_name(f"{place.name}.py") if rest else None
    if module is not None and module.is_file():
        return module
    package = place / "__init__.py"
    return package if package.is_file() else None


@cache
def _top_folder(name: str) -> Path | None:
    try:
        found = importlib.util.find_spec(name)
    except (ModuleNotFoundError, ValueError):
        return None
    places = found.submodule_search_locations if found is not None else None
    return Path(places[0]) if places else None


@cache
def _parsed(path: Path, changed: int) -> tuple[str, tuple[str, ...]]:
    """The digest of a module and what it imports; ``changed`` (its time) distinguishes versions of a file."""
    tree = without_typing(ast.parse(read_text(path)))
    return hashlib.sha256(canonical(tree).encode()).hexdigest(), tuple(_imports(tree))


def read_text(path: Path) -> str:
    """The text of a module."""
    return path.read_text(encoding="utf-8")


def _imports(tree: ast.AST) -> Iterator[str]:
    """Modules that are imported anywhere, with ``from package import name`` also read as ``package.name``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
