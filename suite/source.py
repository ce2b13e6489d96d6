"""Python source as content: which modules a piece of code is made of, and a hash that only code changes."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path


def closure(starts: Iterable[str | Path], follows: Callable[[str], bool]) -> dict[str, str]:
    """Name to normalized source of ``starts`` (modules, or files by path) and of every module they import.

    ``follows(name)`` says which modules count. Nothing is executed.
    """
    sources: dict[str, str] = {}
    waiting = list(starts)
    while waiting:
        item = waiting.pop()
        name = item.name if isinstance(item, Path) else item
        path = item if isinstance(item, Path) else _module_path(item) if follows(item) else None
        if name not in sources and path is not None and path.is_file():
            sources[name], imported = _parsed(path, path.stat().st_mtime_ns)
            waiting.extend(imported)
    return sources


def digest(sources: dict[str, str]) -> str:
    """SHA-256 of named sources, whatever their order."""
    lines = "".join(f"{name}\0{sources[name]}\0" for name in sorted(sources))
    return hashlib.sha256(lines.encode()).hexdigest()


@cache
def _module_path(name: str) -> Path | None:
    try:
        found = importlib.util.find_spec(name)
    except (ModuleNotFoundError, ValueError):
        return None
    return Path(found.origin) if found is not None and found.origin and found.origin.endswith(".py") else None


@cache
def _parsed(path: Path, changed: int) -> tuple[str, tuple[str, ...]]:
    """The module without docstrings and comments, and what it imports; ``changed`` tells versions of a file apart."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = tuple(_imports(tree))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and body and ast.get_docstring(node, False):
            node.body = body[1:]
    return ast.dump(tree), imported


def _imports(tree: ast.AST) -> Iterable[str]:
    """Modules that are imported, with ``from package import name`` also read as ``package.name``.

    What is imported for type checkers alone never runs and does not count.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from _imports(ast.Module(node.orelse, []))
        else:
            yield from _imports(node)
