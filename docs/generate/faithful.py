"""What ``docs/faithful`` says of a method: the rows of its task's table that are about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from suite import registry
from suite.method import Method

FOLDER = Path(__file__).parents[1] / "faithful"


@dataclass(frozen=True)
class Difference:
    """One row: the methods it is ``about`` (names), as the table writes them in ``who``, its ``source``, ``what``."""

    about: frozenset[str]
    who: str
    source: str
    what: str


def differences(method: type[Method]) -> list[Difference]:
    """The rows about ``method``, and about methods that it is built on."""
    names = {getattr(base, "name", "") for base in method.__mro__} & registry.methods().keys()
    return [row for row in rows(method.task) if row.about & names]


@cache
def rows(task: str) -> tuple[Difference, ...]:
    """All rows of a task's table; raises :class:`LookupError` where one is about no method."""
    text = (FOLDER / f"{task.replace('-', '_')}.md").read_text(encoding="utf-8")
    split = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text.splitlines() if line[:2] == "| "
    ]
    cells = [row for row in split if len(row) == 3 and row[0] != "method"]
    found: list[Difference] = []
    for who, source, what in cells:
        before = found[-1] if found else None
        who, about = (before.who, before.about) if before and who == "the same" else (who, _named(who, task))
        found.append(Difference(about, who, before.source if before and source == "the same" else source, what))
    return tuple(found)


def _named(who: str, task: str) -> frozenset[str]:
    """The methods of ``task`` that a cell means: ``all``, ``all on X``, or titles and aliases with commas between."""
    own = {name: method for name, method in registry.methods().items() if method.task == task}
    if who == "all":
        return frozenset(name for name, method in own.items() if method.hypers)  # what is not trained follows no paper
    if who.startswith("all on "):
        network = who.removeprefix("all on ").lower()
        return frozenset(name for name, method in own.items() if network in method.title.lower())
    called = {word: name for name, method in own.items() for word in _names(method)}
    missing = [one for one in who.lower().split(", ") if one not in called]
    if missing:
        raise LookupError(f"docs/faithful: no method of {task} is called '{missing[0]}'")
    return frozenset(called[one] for one in who.lower().split(", "))


def _names(method: type[Method]) -> set[str]:
    """What a table may call a method, in small letters: its name, aliases, and its title up to a bracket or comma."""
    title = method.title.lower()
    short = re.split(r",| \(", title)[0]
    return {method.name, method.name.replace("-", " "), *method.aliases, title, short, short.replace("-", " on ")}
