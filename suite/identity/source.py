"""Python source as content: which modules a piece of code is made of, and a digest that only code changes."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from suite.identity.canonical import meaning, text
from suite.identity.reading import Read, sources

Start = str | Path  # a module by its dotted name, or a file by its path


@dataclass(frozen=True)
class Source:
    """The digest of a module's code, and the modules that it imports."""

    digest: str
    imports: tuple[str, ...]


def closure(starts: Iterable[Start], counts: Callable[[str], bool]) -> dict[str, str]:
    """Name to digest of ``starts`` and of every module they import that ``counts``. Nothing is executed.

    With a file that is given by its path count the modules that it finds beside itself.
    """
    digests: dict[str, str] = {}
    waiting = list(starts)
    beside = {path.parent for path in waiting if isinstance(path, Path)}
    while waiting:
        item = waiting.pop()
        name = item.name if isinstance(item, Path) else item
        if name in digests:
            continue
        found = _source(item)
        if found is not None:
            digests[name] = found.digest
            waiting += _counting(found.imports, counts)
            waiting += [one for one in found.imports if _lies_in(one, beside)] if beside else []
    sources().keep()
    return digests


@cache
def _counting(imports: tuple[str, ...], counts: Callable[[str], bool]) -> tuple[str, ...]:
    """Those of a module's imports that count: asked of the same modules for every method."""
    return tuple(filter(counts, imports))


def _source(item: Start) -> Source | None:
    if isinstance(item, str):
        return module_source(item)
    return file_source(item, item.stat().st_mtime_ns) if item.is_file() else None


def digest(sources: dict[str, str]) -> str:
    """SHA-256 of named digests, whatever their order."""
    # Sorted, and separated by a character that no name holds: no two sets of sources give the same text.
    lines = "".join(f"{name}\0{sources[name]}\0" for name in sorted(sources))
    return hashlib.sha256(lines.encode()).hexdigest()


@cache
def module_source(name: str) -> Source | None:
    """The source of the module called ``name``, None for what is no module.

    Read once in a process, which goes on computing with the code that it imported.
    """
    path = module_path(name)
    package = name if path is not None and path.stem == "__init__" else name.rpartition(".")[0]
    return _read(path, package) if path is not None else None


@cache
def file_source(path: Path, changed: int) -> Source:
    """The source of a file; ``changed`` (its time) distinguishes versions."""
    return _read(path, "")


def _read(path: Path, package: str) -> Source:
    return _among_modules(sources().read(path.read_bytes(), package, _parsed))


def parsed(code: str, package: str = "") -> Source:
    """The source of a module with the text ``code``; relative imports start from ``package``."""
    return _among_modules(_parsed(code, package))


def _among_modules(read: Read) -> Source:
    """Names that are imported are those of modules, or of what lies in them: which is for the installation to say."""
    found, names = read
    return Source(found, tuple(filter(module_path, names)))


def _parsed(code: str, package: str) -> Read:
    tree = ast.parse(code)
    lazy = any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in tree.body)
    declared = _imports(tree, package) if lazy else set()  # a lazy package declares for type checkers what it loads
    tree = meaning(tree)
    names = tuple(sorted(_imports(tree, package) | declared))
    return hashlib.sha256(text(tree).encode()).hexdigest(), names


@cache
def module_path(name: str) -> Path | None:
    """The file of the module called ``name``, or None for what is no module; no package is imported but the top one."""
    # Looked up as files: find_spec of a submodule would import, and thereby execute, its package.
    top, *rest = name.split(".")
    root = _top_level(top)
    if root is None or not rest:
        return root
    folder, place = root.parent if root.stem == "__init__" else root, "/".join(rest)
    files = (folder / f"{place}{end}" for end in (".py", "/__init__.py"))
    return next((path for path in files if path.is_file()), None)


@cache
def _top_level(name: str) -> Path | None:
    """The file of a top-level module or package, or the folder of a package without one."""
    try:
        found = importlib.util.find_spec(name)
    except (ModuleNotFoundError, ValueError):
        return None
    if found is None:
        return None
    if found.origin and found.origin.endswith(".py"):
        return Path(found.origin)
    return next((Path(place) for place in found.submodule_search_locations or ()), None)


def _lies_in(name: str, folders: set[Path]) -> bool:
    """Whether the module called ``name`` is a file below one of ``folders``, and not of an installed package there."""
    path = module_path(name)
    return path is not None and "site-packages" not in path.parts and any(map(path.is_relative_to, folders))


def _imports(tree: ast.AST, package: str) -> set[str]:
    """The names that are imported anywhere, with ``from package import name`` also read as ``package.name``."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: 1 - node.level or None] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            found.update([base, *(f"{base}.{alias.name}" for alias in node.names)])
    return found
