"""The command line as a user types it."""

from __future__ import annotations

import sys

import pytest

from suite.cli import main


class Typed:
    """Runs a command line and keeps what it printed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *words: object, code: int = 0) -> tuple[str, str]:
        self.monkeypatch.setattr(sys, "argv", ["suite", *map(str, words)])
        try:
            main()
            left = 0
        except SystemExit as stop:
            left = int(stop.code or 0)
        out, err = self.capsys.readouterr()
        assert left == code, f"exit code {left}: {err}"
        return out, err


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("SUITE_METHODS", "")  # what one command line registers must not reach the next
    return Typed(monkeypatch, capsys)


def sentence(err: str) -> str:
    """The one line that a mistake is told in."""
    (line,) = err.strip().splitlines()
    return line
