"""What methods and tasks declare, known without importing them: an index, kept as long as files stay as they are.

Importing all methods takes seconds, since they bring torch; their names, presets and hyper-parameters are wanted by
listings and by completion, which has a fraction of a second. Plans need the tasks' declarations, too. The index is
files of JSON (:mod:`suite.index.kept`). Nothing but listings and plans reads it: runs are resolved by the methods.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.index.kept import Declared, kept, sources_of

if TYPE_CHECKING:
    from suite.method import Method

# Nothing else of the suite is imported before it is needed: completion has a fraction of a second.
GROUP = "suite.methods"
SOURCE = "source"  # where it lies, for prints of code, and the whole docstring; no matter of listings
CONTRACT = ("method.py", "phases.py", "hyper.py", "presets.py", "weights/initial.py")


def declared_methods() -> list[Declared]:
    """What every method declares, sorted by name: ``name``, ``aliases``, ``task``, ``title``, ``paper``, ``about``,
    ``presets``, ``default_preset``, ``published_selection``, notes, and ``hyper_parameters`` by name.

    Raises :class:`UsageError` for files with methods that cannot be imported.
    """
    here = Path(__file__).parents[1]
    files = [*sources_of("methods"), *(str(here / name) for name in CONTRACT), *sources_of("suite.index")]
    return kept("methods", files, GROUP, _described)


def _described() -> list[Declared]:
    from suite import registry

    return [_describe(method) for method in registry.methods().values()]


@contextmanager
def declarations(*, of_tasks: bool = False) -> Iterator[None]:
    """Let methods be known by what they declare: for plans and whatever else trains nothing.

    Their classes then have parameters, presets and a print of their code, and no network; so have tasks, where asked
    for, and score nothing. Nothing is done where the methods are imported already.
    """
    if "torch" in sys.modules:
        yield
        return
    from suite import registry, tasks

    with ExitStack() as stack:
        stack.enter_context(registry.answering({row["name"]: _stand_in(row) for row in declared_methods()}))
        if of_tasks:
            from suite.index.tasks import declared_tasks, stand_in

            stack.enter_context(tasks.answering({row["name"]: stand_in(row) for row in declared_tasks()}))
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
                for key in ("low", "high", "log", "symbol", "source", "help", "post", "packed", "file", "timed")
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
            "timed": declared.timed,
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
    return {**facts, "about": doc, **notes, **presets, **selection, "hyper_parameters": hypers}
