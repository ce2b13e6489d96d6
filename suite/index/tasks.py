"""What tasks declare, known without importing their evaluators and samples; see :mod:`suite.index`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from suite.index.kept import Declared, kept, sources_of

if TYPE_CHECKING:
    from suite.tasks import Task

GROUP = "suite.tasks"
FACTS = (
    "name",
    "title",
    "headline",
    "selection",
    "oracle_metrics",
    "explained",
    "learns_from",
    "predicts",
    "features",
    "scale",
    "planted",
    "noise",
    "annotated",
)
CODE = ("settle", "withhold")  # whose modules are part of data's fingerprints


def declared_tasks() -> list[Declared]:
    """What every task declares, sorted by name, and where its code is; see :class:`suite.tasks.Task`.

    Raises :class:`UsageError` for files with tasks that cannot be imported.
    """
    files = [*sources_of("suite.tasks"), *sources_of("suite.evaluate"), *sources_of("suite.index")]
    return kept("tasks", files, GROUP, _described)


def _described() -> list[Declared]:
    from suite.tasks import tasks

    return [
        {
            **{name: getattr(one, name) for name in FACTS},
            "explained": dict(one.explained),
            "module": type(one).__module__,
            "doc": type(one).__doc__,
            "homes": {"": _home(type(one)), **{name: _home(getattr(one, name)) for name in CODE}},
        }
        for one in tasks().values()
    ]


def _home(thing: Any) -> Mapping[str, str]:
    from suite.identity.code import home

    place = home(thing.func if isinstance(thing, partial) else thing)
    return {"file": str(place)} if isinstance(place, Path) else {"module": place}


@dataclass(frozen=True)
class _Elsewhere:
    """Stands for a function of a task, of which only the code is asked."""

    home: str | Path

    def __call__(self, *_: Any) -> NoReturn:
        raise TypeError("a task that is known by its declarations alone computes nothing")


def stand_in(row: Declared) -> Task:
    """A task that declares what that of ``row`` does and whose code is found where that one's is."""
    from suite.tasks import Task

    code: dict[str, Callable[..., Any]] = {name: _Elsewhere(_place(row["homes"][name])) for name in CODE}
    about = {"__module__": row["module"], "__doc__": row["doc"], "home": _place(row["homes"][""])}
    made: type[Task] = type(row["name"], (Task,), {**{name: row[name] for name in FACTS}, **code, **about})
    return made()


def _place(home: Mapping[str, str]) -> str | Path:
    return Path(home["file"]) if "file" in home else home["module"]
