"""``suite new``: every skeleton is checked, or planned, with the commands that it prints."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Typed, sentence


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("SUITE_DATASETS", "SUITE_DATA"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("SUITE_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def first_command(printed: str) -> list[str]:
    line = next(line for line in printed.splitlines() if line.startswith("next: suite "))
    return shlex.split(line.removeprefix("next: suite "))


@pytest.mark.parametrize(
    "task",
    [
        "recognition",
        "weak-localization",
        "actor-detection",
        pytest.param("semi-localization", marks=pytest.mark.slow),
    ],
)
def test_a_skeleton_of_a_method_keeps_the_contract(task: str, out: Path, typed: Typed) -> None:
    printed, _ = typed("new", "method", "my-way", "--task", task, "--in", "mine")
    checked, _ = typed(*first_command(printed))
    assert checked.count("\nyes ") == 9


def test_a_skeleton_of_a_dataset_is_sound_and_can_be_trained_on(out: Path, typed: Typed) -> None:
    printed, _ = typed("new", "dataset", "kitchen", "--in", "mine")
    checked, _ = typed(*first_command(printed))
    assert checked.count("yes ") == 7
    typed("data", "--datasets", "mine", "verify", "kitchen", "--data", "mine/data")


def test_a_skeleton_of_localization_data_serves_both_tasks(
    out: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed, _ = typed("new", "dataset", "gym", "--task", "semi-localization", "--in", "mine")
    command = first_command(printed)
    for task in ("weak-localization", "semi-localization"):
        assert typed(*command, "--task", task)[0].count("yes ") == 7
    typed("data", "--datasets", "mine", "verify", "gym", "--data", "mine/data")
    monkeypatch.setenv("SUITE_DATASETS", "mine")
    settings = ("--set", "hidden=8", "--set", "positions=40", "--epochs", "2")
    trained, _ = typed("train", "topk-mil", "gym[class_flip=0.2]", "--data", "mine/data", *settings)
    assert "mAP" in trained


def test_a_skeleton_of_a_task_is_checked_with_its_method(out: Path, typed: Typed) -> None:
    printed, _ = typed("new", "task", "left-right", "--in", "mine")
    command = first_command(printed)
    assert typed(*command)[0].count("\nyes ") == 9
    assert typed("check", "left-right-planted", *command[2:])[0].count("yes ") == 7


@pytest.mark.parametrize("kind", ["sweep", "board"])
def test_a_skeleton_of_a_plan_resolves(kind: str, out: Path, typed: Typed) -> None:
    printed, _ = typed("new", kind, "mine")
    planned, _ = typed(*first_command(printed))
    assert "6" in planned


def test_what_exists_is_left_alone(out: Path, typed: Typed) -> None:
    (out / "mine.toml").write_text("precious")
    assert "exists already" in sentence(typed("new", "board", "mine", code=2)[1])
    assert (out / "mine.toml").read_text() == "precious"
    assert "did you mean 'method'" in sentence(typed("new", "methd", "mine", code=2)[1])
    assert "e.g. my-task" in sentence(typed("new", "task", "My Task", code=2)[1])
    assert "did you mean 'recognition'" in sentence(typed("new", "method", "a", "--task", "recogniton", code=2)[1])
    told = sentence(typed("new", "dataset", "a", "--task", "actor-detection", code=2)[1])
    assert "no skeleton of a dataset for 'actor-detection'" in told
    assert "a board has no --task" in sentence(typed("new", "board", "a", "--task", "recognition", code=2)[1])
