"""A fingerprint of the code that computes a run: change what a method does, and its runs are no longer the same runs.

Comments and docstrings do not count, nor do modules that only carry, store or tell.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from functools import cache
from pathlib import Path

from suite.method import Method

ROOTS = ("suite.method", "suite.train.loop")
BYSTANDERS = (
    "suite.errors",
    "suite.data",
    "suite.spec",
    "suite.registry",
    "suite.train.checkpoint",
    "suite.train.saving",
    "suite.train.reporter",
    "suite.train.derived",
)


def code_fingerprint(method: type[Method], task_module: str) -> str:
    """16 hexadecimal digits for the source of ``method``, of all it imports and of the parts of the suite at work."""
    sources: dict[str, str] = {}
    own = sys.modules[method.__module__].__file__
    if own and not method.__module__.startswith("methods."):
        sources["user"] = _normal(Path(own))
    waiting = [method.__module__, task_module, *ROOTS]
    while waiting:
        name = waiting.pop()
        path = _path(name)
        if name not in sources and path is not None and not name.startswith(BYSTANDERS):
            sources[name] = _normal(path)
            waiting.extend(_imports(path))
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(f"{name}\0{sources[name]}\0".encode())
    return digest.hexdigest()[:16]


@cache
def _path(name: str) -> Path | None:
    if not name.startswith(("suite", "methods")):
        return None
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    return Path(found.origin) if found is not None and found.origin else None


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _normal(path: Path) -> str:
    """The module without docstrings and comments, as text that only changes when the code does."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and body and ast.get_docstring(node, False):
            node.body = body[1:]
    return ast.dump(tree)


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """Modules that ``path`` imports, with ``from package import name`` also read as ``package.name``."""
    found: list[str] = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            found.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append(node.module)
            found.extend(f"{node.module}.{alias.name}" for alias in node.names)
    return tuple(found)
