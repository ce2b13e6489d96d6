"""What commands print: names with dials stay whole, in a terminal and in a pipe."""

from __future__ import annotations

import pytest

from suite.cli.console import emit


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
