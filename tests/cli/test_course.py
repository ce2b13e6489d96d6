"""The line of a training under way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from suite.cli import course
from suite.cli import progress as progress_of_commands
from suite.cli.course import WIDTH, Course
from suite.train.storage.reporter import Doing, Progress
from suite.work.progress import Running, Standing
from tests.cli.conftest import Typed

SMALL = "planted-verbs[train=200,validation=60,test=60,channels=8]"


def at(done: int, total: int, share: float, **values: float) -> Progress:
    named = {name.replace("__", "/"): value for name, value in values.items()}
    return Progress("train", done, done, total, named, share)


def test_a_line_names_losses_headline_best_and_the_time_left():
    clock = iter([0.0, 10.0, 20.0, 30.0])
    course = Course("mAP", lambda: next(clock))
    first = at(1, 10, 0.1, train__loss=0.5, validation__mAP=0.42)
    assert course.take(first)
    assert course.line(first) == "epoch 1/10 (10 %), loss 0.5, validation mAP 42.0, best 42.0 at 1, 2 min left"
    assert not course.take(at(2, 10, 0.2, train__loss=0.4))
    third = at(3, 10, 0.3, train__loss=0.3, validation__mAP=0.40)
    assert course.take(third)
    assert course.line(third).startswith("epoch 3/10 (30 %), loss 0.3, validation mAP 40.0, best 42.0 at 1, 47 s left")


def test_a_line_never_exceeds_a_terminal_of_80_columns():
    course = Course("mAP")
    losses = {f"train__{'part' * 3}{number}": 0.123456 for number in range(9)}
    progress = at(99, 100, 0.99, **losses, validation__mAP=0.1)
    course.take(progress)
    assert len(course.line(progress)) <= WIDTH
    assert "loss 1.11" in course.line(progress)
    long = Course("a metric whose name is longer than it should be, far longer than any line of text")
    progress = at(1, 2, 0.5, **{f"validation__{long.headline}": 0.1})
    long.take(progress)
    assert len(long.line(progress)) <= WIDTH


def test_a_resumed_training_counts_its_own_pace():
    clock = iter([0.0, 10.0])
    course = Course("mAP", lambda: next(clock))
    progress = at(51, 100, 0.51)
    course.take(progress)
    assert course.left(progress) == "8 min left"


def test_without_a_terminal_a_long_epoch_is_a_line_each_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    now = 0.0
    monkeypatch.setattr(course, "monotonic", lambda: now)
    with course.display("mAP", quiet=False) as reporter:
        for now in (30.0, 59.0, 61.0, 90.0, 130.0):
            reporter.tell(Doing("step", int(now), 500))
    assert capsys.readouterr().err.split("suite: ")[1:] == ["step 61 of 500\n", "step 130 of 500\n"]


def test_in_a_log_what_is_done_within_epochs_is_a_line_each_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    now = 0.0
    monkeypatch.setattr(progress_of_commands, "monotonic", lambda: now)
    log = progress_of_commands.Log()
    for now, epoch in ((1.0, 0), (8.0, 0), (62.0, 0), (68.0, 1)):
        log.show(Standing("board", 0, 2, 0, (Running("run", done=epoch, total=3, doing=f"step {now:.0f}"),)))
    steps = [line.rpartition(" ")[2] for line in capsys.readouterr().err.splitlines()]
    assert steps == ["1", "62", "68"]


def test_without_a_terminal_each_evaluation_is_a_line(typed: Typed, tmp_path: Path):
    words = ("train", "mask-bce", SMALL, "--set", "hidden=16", "--set", "evaluate_every=2", "--epochs", 5)
    _, err = typed(*words, "--out", tmp_path)
    lines = [line for line in err.splitlines() if "epoch" in line]
    assert [line.split(",")[0] for line in lines] == [
        "suite: epoch 2/5 (40 %)",
        "suite: epoch 4/5 (80 %)",
        "suite: epoch 5 (100 %)",
    ]
    assert all(len(line) <= 80 + len("suite: ") for line in lines)
    _, err = typed(*words, "--seed", 1, "--json", "--out", tmp_path)
    assert "epoch" not in err


def test_budgets_in_steps_have_a_share(typed: Typed, tmp_path: Path):
    world = "planted-actors[train_videos=20,validation_videos=5,test_videos=5,labelled=0.5]"
    steps = [f"--set={s}" for s in ("steps=4", "semi_steps=4", "evaluate_steps=2")]
    _, err = typed("train", "fixmatch", world, *steps, "--out", tmp_path)
    shares = [line.split("(")[1].split(")")[0] for line in err.splitlines() if "epoch" in line]
    assert shares == ["25 %", "50 %", "75 %", "100 %"]


@pytest.mark.parametrize("name", ["train"])
def test_scripts_get_all_numbers(typed: Typed, tmp_path: Path, name: str):
    given = json.loads(typed(name, "assume-negative", SMALL, "--epochs", 1, "--out", tmp_path, "--json")[0])
    assert Path(given["model"], "config.json").is_file()
