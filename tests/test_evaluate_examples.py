"""The table of ``docs/evaluate``: each command runs on its example file and scores what the table says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Typed, typed

__all__ = ["typed"]  # a fixture

FOLDER = Path(__file__).parents[1] / "docs" / "evaluate"
LINES = re.findall(r"`suite evaluate ([^`]+)` \| ([0-9.]+) \|", (FOLDER / "README.md").read_text(encoding="utf-8"))


def test_the_table_has_commands() -> None:
    assert len(LINES) == 8


@pytest.mark.parametrize(("command", "value"), LINES)
def test_an_example(command: str, value: str, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER / "examples")
    told = json.loads(typed("evaluate", *command.split(), "--resamples", 0, "--json")[0])
    assert told["metrics"][0]["value"] == pytest.approx(float(value), abs=5e-5)
