"""What people wrote about methods: ``docs/methods/TASK.md``, a section per method, in the order of the page.

A section begins with the idea, one paragraph of at most three sentences; what follows are equations and their symbols.
What stands before the first section is about the task.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from docs.generate.markdown import sections

FOLDER = Path(__file__).parents[1] / "methods"
SENTENCE = re.compile(r"[.!?](?=\s|$)")
MOST = 3


@dataclass(frozen=True)
class Idea:
    """One method in our words: the ``idea``, and the ``equations`` with the meaning of their symbols."""

    idea: str
    equations: str

    @property
    def sentences(self) -> int:
        """How many sentences the idea has."""
        return len(SENTENCE.findall(self.idea))


def ideas(task: str) -> dict[str, Idea]:
    """The sections of a task's file by the name of their method."""
    return {name: _idea(body) for name, body in _read(task).items() if name}


def about(task: str) -> str:
    """What the file says of the task itself, and of symbols that its methods share."""
    return re.sub(r"\A# .*\n+", "", linked(_read(task)[""]))


def linked(text: str) -> str:
    """``text`` whose links between sections of one file lead to the pages of the methods."""
    return re.sub(r"\]\(#([\w-]+)\)", r"](\1.md)", text)


def _idea(body: str) -> Idea:
    idea, _, rest = linked(body).partition("\n\n")
    return Idea(" ".join(idea.split()), rest.strip())


def _read(task: str) -> dict[str, str]:
    return sections((FOLDER / f"{task}.md").read_text(encoding="utf-8"))
