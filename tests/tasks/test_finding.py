"""Tasks are found by name: shipped ones, and those in a user's own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.environment import PLUGINS
from suite.errors import UsageError
from suite.tasks import task, tasks

TASK = """
from suite.tasks import Task

class Counting(Task):
    name = "{name}"
"""


def test_the_shipped_tasks() -> None:
    assert set(tasks()) == {"actor-detection", "recognition", "semi-localization", "weak-localization"}
    for name, found in tasks().items():
        assert found.name == name
        assert found.title and found.headline and found.learns_from and found.predicts and found.planted


def test_a_users_file_adds_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(TASK.format(name="counting"))
    monkeypatch.setenv(PLUGINS.name, str(tmp_path / "mine.py"))
    assert task("counting").name == "counting"
    with pytest.raises(TypeError, match="counting does not say what a prediction is worth"):
        task("counting").evaluate(None, None, None)  # type: ignore[arg-type]


def test_an_unknown_task_is_told() -> None:
    with pytest.raises(UsageError, match="did you mean 'recognition'"):
        task("recognitoin")


def test_two_tasks_of_one_name_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(TASK.format(name="recognition"))
    monkeypatch.setenv(PLUGINS.name, str(tmp_path / "mine.py"))
    with pytest.raises(UsageError, match="two classes are called 'recognition'"):
        tasks()
