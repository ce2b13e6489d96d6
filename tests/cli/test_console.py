"""What commands print: names with dials stay whole, in a terminal and in a pipe."""

from __future__ import annotations

import pytest

from suite.cli.console import emit
from suite.cli.table import plain_table


def test_dials_are_no_styles(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"method": "npl", "dataset": "hapt[labelled=0.1]"}, {"method": "npl", "dataset": "hapt[bold]"}]
    emit(rows, ("method", "dataset"), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[1:]] == [["npl", "hapt[labelled=0.1]"], ["npl", "hapt[bold]"]]


def test_a_pipe_gets_wide_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    words = "word " * 24
    emit([{"what": words.strip(), "number": 1}], ("what", "number"), as_json=False)
    assert words.strip() in capsys.readouterr().out


@pytest.mark.parametrize(
    "cells",
    [
        [["a", "β² and “more”"], ["longer", ""]],
        [["", "x"], ["", "y"]],
        [["two\nlines", "x"]],
        [["wide 漢字", "x"], ["e\u0301", "x"]],
        [["a", "w " * 120], ["b", "short"]],
        [],
    ],
)
def test_a_table_is_the_same_with_and_without_rich(
    cells: list[list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    rows = [dict(zip(("one", "the other"), row, strict=True)) for row in cells]
    printed = []
    for way in (plain_table, lambda *_: None):
        monkeypatch.setattr("suite.cli.console.plain_table", way)
        emit(rows, ("one", "the other"), as_json=False)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] and printed[0].startswith("one")
    assert (plain_table(("one", "the other"), cells, 200) is not None) == all(
        len(cell) < 200 and cell.isprintable() and not set(cell) & set("漢\u0301") for row in cells for cell in row
    )
