"""A page per command, from what its ``--help`` says."""

from __future__ import annotations

import re
from typing import Any

from docs.generate.markdown import code, plain, table
from suite.cli import build


def program() -> Any:
    """The command line as click sees it."""
    from typer.main import get_command

    return get_command(build())


def pages() -> dict[str, str]:
    """The text of every command's page, by name; a group's commands stand on its page."""
    return {name: page(command, f"suite {name}") for name, command in sorted(program().commands.items())}


def page(command: Any, path: str) -> str:
    """One page: a command, and below it those that it holds."""
    parts = [f"# {path}", *_body(command, path)]
    for name, held in getattr(command, "commands", {}).items():
        parts += [f"## {path} {name}", *_body(held, f"{path} {name}")]
    return "\n\n".join(part for part in parts if part) + "\n"


def _body(command: Any, path: str) -> list[str]:
    context = command.make_context(path, [], resilient_parsing=True)
    usage = " ".join(
        re.sub(r"\{(.*?)\}", lambda name: name[1].upper(), piece) for piece in command.collect_usage_pieces(context)
    )
    rows = [record for one in command.params if (record := one.get_help_record(context)) and "--help" not in one.opts]
    options = [(code(name), _help(text)) for name, text in rows]
    shown = f"```text\n{path} {usage}\n```"
    return [_prose(command.help or ""), shown, table(("argument or option", "meaning"), options)]


def _help(text: str) -> str:
    """Words of an option; code between ticks stays code."""
    return _between_ticks(re.sub(r"\s+\[(.*)\]$", r" (\1)", text))


def _prose(text: str) -> str:
    """Paragraphs of a docstring; lines of examples become blocks of commands."""
    parts = []
    for paragraph in re.split(r"\n\s*\n", text.replace("\b", "").replace("\f", "").strip()):
        joined = " ".join(paragraph.split())
        example = re.match(r"(?:Examples?: )?(suite .*)$", joined)
        if example:
            commands = re.split(r"(?:;|, then)? (?=suite [a-z]+ )", example[1])
            parts.append("```console\n" + "\n".join(f"$ {one}" for one in commands) + "\n```")
        else:
            parts.append(_between_ticks(joined))
    return "\n\n".join(parts)


def _between_ticks(text: str) -> str:
    """``text`` whose signs stand for themselves, but for code between ticks."""
    pieces = re.split(r"(`[^`]+`)", text)
    return "".join(piece if piece.startswith("`") and len(piece) > 1 else plain(piece) for piece in pieces)
