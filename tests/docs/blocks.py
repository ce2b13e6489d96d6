"""Blocks of code in Markdown, and whether a command could be typed as it stands."""

from __future__ import annotations

import re
import shlex
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from docs.generate.commands import program

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<kind>\S*)(?: title=\"?(?P<title>[^\"\n]+)\"?)?\n(?P<text>.*?)^ *```$", re.M | re.S
)
known = cache(program)


@dataclass(frozen=True)
class Block:
    """One block of a page: its language, the file that it is (or nothing), its text."""

    page: str
    kind: str
    title: str
    text: str


def blocks(page: str, text: str) -> list[Block]:
    """The blocks of a page, in order."""
    found = BLOCK.finditer(text)
    return [Block(page, one["kind"], one["title"] or "", textwrap.dedent(one["text"])) for one in found]


def written() -> dict[str, str]:
    """The pages that people wrote, by their path below docs."""
    return {str(path.relative_to(DOCS)): path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}


def problem(command: str) -> str:
    """What is wrong with a line ``suite ...``; nothing, if it could be typed. Options must exist, words need not."""
    words = shlex.split(command)
    place: Any = known()
    left = words[1:]
    while left and left[0] in getattr(place, "commands", {}):
        place = place.commands[left.pop(0)]
    if not left:
        return ""
    held = getattr(place, "commands", {})
    if held and "run" not in held and not left[0].startswith("--"):
        return f"{command}: there is no command '{left[0]}'"
    place = held.get("run", place)
    place.make_context("suite", left, resilient_parsing=True)
    flags = {flag for parameter in place.params for flag in parameter.opts} | {"--help"}
    wrong = [word for word in words if word.startswith("--") and word.partition("=")[0] not in flags]
    return f"{command}: there is no option {wrong[0]}" if wrong else ""
