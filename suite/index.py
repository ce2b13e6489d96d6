"""What methods declare, known without importing them: an index that is kept as long as their files stay as they are.

Importing all methods takes seconds, since they bring torch; their names, presets and hyper-parameters are wanted by
listings and by completion, which has a fraction of a second. The index is a file of JSON in the user's cache, named by
the content of everything that declarations depend on. Nothing but listings reads it: runs are resolved by the methods.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.environment import PLUGINS, STARTED, cache_home
from suite.writing import write_whole

if TYPE_CHECKING:
    from suite.method import Method

# Nothing else of the suite is imported before it is needed: completion has a fraction of a second.
FORMAT = 3
KEPT = 8  # indexes in the cache: of other checkouts, or with files of one's own
GROUP = "suite.methods"
SOURCE = "source"  # where it lies, for prints of code, and the whole docstring; no matter of listings

Declared = dict[str, Any]


def declared_methods() -> list[Declared]:
    """What every method declares, sorted by name: ``name``, ``aliases``, ``task``, ``title``, ``paper``, ``about``,
    ``presets``, ``default_preset``, ``published_selection``, notes, and ``hyper_parameters`` by name.

    Raises :class:`UsageError` for files with methods that cannot be imported.
    """
    file = cache_home() / f"methods-{_key()}.json"
    with suppress(OSError, ValueError, TypeError):
        held: list[Declared] = json.loads(file.read_text(encoding="utf-8"))
        return held
    from suite import registry

    found = [_describe(method) for method in registry.methods().values()]
    _keep(file, found)
    return found


@contextmanager
def declarations() -> Iterator[None]:
    """Let methods be known by what they declare: for plans and whatever else trains nothing.

    Their classes then have parameters, presets and a print of their code, and no network. Nothing is done where the
    methods are imported already.
    """
    if "torch" in sys.modules:
        yield
        return
    from suite.registry import answering

    with answering({row["name"]: _stand_in(row) for row in declared_methods()}):
        yield


def _stand_in(row: Declared) -> type[Method]:
    """A class that declares what the method of ``row`` does."""
    from suite.hyper import Hyper
    from suite.method import Method

    hypers = {
        name: Hyper(
            declared["default"],
            choices=tuple(declared["choices"]),
            **{
                key: declared[key]
                for key in ("low", "high", "log", "symbol", "source", "help", "post", "packed", "file")
            },
        )
        for name, declared in row["hyper_parameters"].items()
        if name != "preset" or not row["presets"]  # which follows from the presets
    }
    facts = {name: row[name] for name in ("name", "task", "title", "paper", "presets", "published_selection")}
    notes = {name: row[name] for name in ("oracle", "unknown_labels", "soft_labels")}
    place = Path(row[SOURCE]["file"]) if "file" in row[SOURCE] else row[SOURCE]["module"]
    about = {
        "__module__": row["module"],
        "__doc__": row[SOURCE]["doc"],
        "home": place,
        "aliases": tuple(row["aliases"]),
    }
    return type(row["name"], (Method,), {**hypers, **facts, **notes, **about})


def _key() -> str:
    """A print of all that declarations depend on: the shipped methods, the contract, installed and own methods."""
    digest = hashlib.sha256(f"{FORMAT}\0{PLUGINS.value}".encode())
    for file in _files():
        digest.update(f"\0{file}\0".encode())
        with suppress(OSError):
            digest.update(file.read_bytes())
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.value):
        digest.update(f"\0{point.value}\0{point.dist.version if point.dist else ''}".encode())
    return digest.hexdigest()[:16]


def _files() -> Iterator[Path]:
    package = importlib.util.find_spec("methods")
    for folder in (package.submodule_search_locations or []) if package else []:
        yield from sorted(Path(folder).rglob("*.py"))
    here = Path(__file__).parent
    yield from (here / name for name in ("method.py", "hyper.py", "presets.py", "index.py", "weights/initial.py"))
    for path in map(Path, PLUGINS.paths()):
        yield from sorted(path.parent.glob("*.py"))  # what it imports lies beside it


def _keep(file: Path, found: list[Declared]) -> None:
    """Write the index; where that fails, the next listing takes as long as this one.

    A process that runs since before a file changed may have imported the file as it was: its index would be wrong.
    """
    with suppress(OSError):
        if any(path.stat().st_mtime >= STARTED for path in _files()):
            return
        write_whole(file, json.dumps(found))
        old = sorted(file.parent.glob("methods-*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in old[KEPT:]:
            path.unlink(missing_ok=True)


def _describe(method: Any) -> Declared:
    from suite.identity.code import home

    hypers = {
        name: {
            "default": declared.default,
            "range": declared.span if declared.low is not None or declared.high is not None else None,
            "low": declared.low,
            "high": declared.high,
            "choices": list(declared.choices),
            "symbol": declared.symbol,
            "source": declared.source,
            "help": declared.help,
            "post": declared.post,
            "log": declared.log,
            "packed": declared.packed,
            "file": declared.file,
        }
        for name, declared in method.hypers.items()
    }
    doc = (method.__doc__ or "").strip().partition("\n")[0]
    facts = {name: getattr(method, name) for name in ("name", "aliases", "task", "title", "paper")}
    presets = {"presets": method.presets, "default_preset": method.default_preset()}
    selection = {"published_selection": method.published_selection}
    notes = {"oracle": method.oracle, "unknown_labels": method.unknown_labels, "soft_labels": method.soft_labels}
    place = home(method)
    facts["module"] = method.__module__
    source = {"file": str(place)} if isinstance(place, Path) else {"module": place}
    facts[SOURCE] = {**source, "doc": method.__doc__}
    described = {**facts, "about": doc, **notes, **presets, **selection, "hyper_parameters": hypers}
    plain: Declared = json.loads(json.dumps(described, default=str))  # the same whether read or made
    return plain
