"""Small pieces of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; empty text where there are no rows. Cells are Markdown on one line."""
    lines = [" | ".join(cell(one) for one in row) for row in rows]
    if not lines:
        return ""
    head = [" | ".join(heading), " | ".join("---" for _ in heading)]
    return "".join(f"| {line} |\n" for line in [*head, *lines])


def cell(text: str) -> str:
    """``text`` on one line, in which no bar ends the cell."""
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.split()))


def code(text: object) -> str:
    """``text`` as code, also where it has ticks itself; nothing for nothing."""
    words = str(text)
    fence = "``" if "`" in words else "`"
    return f"{fence}{words}{fence}" if words else ""


def plain(text: str) -> str:
    """Text of a declaration that is no Markdown: its signs stand for themselves."""
    signs = {"<": "&lt;", ">": "&gt;", "$": "&#36;"}
    return re.sub(r"[\\*_\[\]<>$]", lambda sign: signs.get(sign[0], f"\\{sign[0]}"), text)


def sections(text: str, level: int = 2) -> dict[str, str]:
    """The body of each heading of ``level``, by its title, fenced code left alone; what comes before under ``""``."""
    found: dict[str, list[str]] = {"": []}
    title, fenced, mark = "", False, "#" * level + " "
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        if line.startswith(mark) and not fenced:
            title = line.removeprefix(mark).strip()
            found[title] = []
        else:
            found[title].append(line)
    return {name: "\n".join(lines).strip() for name, lines in found.items()}


def collapsed(title: str, body: str) -> str:
    """``body`` behind a heading that opens it."""
    inner = "\n".join(f"    {line}" if line else "" for line in body.strip().splitlines())
    return f'??? note "{title}"\n\n{inner}\n'
