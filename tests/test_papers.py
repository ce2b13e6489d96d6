"""docs/papers.md: every table and figure of the four papers is listed, and every command in it parses as a plan."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

from suite.cli import build
from suite.leaderboard.plan import find_board
from suite.leaderboard.printed import only
from suite.sweep.files import find_sweep

PAGE = (Path(__file__).parents[1] / "docs" / "papers.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"`(suite [^`]+)`", PAGE)))
# Tables and figures that the papers number; of the last one only the text before its tables is at hand.
NUMBERED = {
    "paper:asl": (2, 7),
    "paper:npl": (6, 7),
    "paper:multi-label-detection": (9, 9),
    "paper:single-positive": (0, 2),
}


find = cache(find_board)
PROGRAM = get_command(build())


def sections() -> dict[str, list[list[str]]]:
    """The rows of each paper's table, by the board that its heading names."""
    found: dict[str, list[list[str]]] = {}
    for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        board = re.search(r"`(paper:[\w-]+)`", part.splitlines()[0])
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:2] == "| "]
        found[board[1]] = rows[1:]
    return found


@pytest.mark.parametrize("board", NUMBERED)
def test_every_table_and_figure_is_listed_with_a_command_or_a_reason(board):
    rows = sections()[board]
    named = {re.match(r"(Table|Fig\.) (\d+)|", row[0])[0] for row in rows}
    tables, figures = NUMBERED[board]
    expected = {f"Table {n}" for n in range(1, tables + 1)} | {f"Fig. {n}" for n in range(1, figures + 1)}
    assert expected <= named
    for place, said in rows:
        assert "`suite " in said or said.startswith("none: "), place
        assert board in said or "leaderboard" not in said, f"{place}: a command of another paper"


@pytest.mark.parametrize("board", NUMBERED)
def test_every_table_of_a_board_is_listed(board):
    text = "\n".join(" ".join(row) for row in sections()[board])
    for table in find(board).printed:
        assert f"suite leaderboard {board} --table '{table.short}'" in text, table.short


@pytest.mark.parametrize("text", COMMANDS)
def test_every_command_parses(text):
    words = shlex.split(text)
    command = PROGRAM
    if words[1] in ("leaderboard", "plan", "report") and "NAME" not in text:
        if words[2] == "sweep":
            assert find_sweep(words[3]).name == words[3]
            return
        board = find(words[2])
        assert not words[3:] or only(board, words[words.index("--table") + 1]).printed
    for word in words[1:]:
        nested = getattr(command, "commands", {})
        if word not in nested:
            break
        command = nested[word]
    else:
        return
    command.make_context(words[1], words[words.index(word) :], resilient_parsing=True)
    flags = {flag for parameter in command.params for flag in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= flags
