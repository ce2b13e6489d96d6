"""The recipes of CONTRIBUTING.md, taken from the page and followed to the letter."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from suite import registry
from suite.data import load
from suite.errors import UsageError
from suite.places import Places
from suite.results.ledger import Ledger
from suite.spec.base import load_toml, validate
from suite.spec.sweep import SweepSpec
from suite.sweep.check import check
from suite.sweep.problem import problems
from tests.cli.conftest import Typed, typed

__all__ = ["typed"]  # a fixture

PAGE = Path(__file__).resolve().parents[1] / "CONTRIBUTING.md"
BLOCK = re.compile(r"^```(\w+)(?: title=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def recipe(title: str) -> tuple[dict[str, str], list[str]]:
    """The files and the commands of one section of the page."""
    sections = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.M | re.S))
    blocks = BLOCK.findall(sections[title])
    files = {name: text for _, name, text in blocks if name}
    lines = [line for kind, _, text in blocks if kind == "console" for line in text.splitlines()]
    assert all(line.startswith("$ ") for line in lines)
    return files, [line.removeprefix("$ ") for line in lines]


@pytest.fixture
def followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Typed) -> Path:
    """An empty folder to follow a recipe in, with nothing set that a newcomer would not have set."""
    for name in ("SUITE_DATASETS", "SUITE_DATA", "SUITE_METHODS"):
        monkeypatch.setenv(name, "")  # restored afterwards, also where a command sets it
    monkeypatch.setenv("SUITE_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def follow(title: str, folder: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Write the recipe's files, run its commands, and return what each printed."""
    files, commands = recipe(title)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    printed = {}
    for command in commands:
        words = shlex.split(command)
        if words[0] == "export":
            monkeypatch.setenv(*words[1].split("="))
            continue
        assert words[0] == "suite"
        printed[command] = typed(*words[1:])[0]
    return printed


def test_a_method_in_three_steps(followed: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = follow("Add a method", followed, typed, monkeypatch)
    assert len(printed) == 3
    assert "squared-error" in registry.methods()
    trained = [text for command, text in printed.items() if command.startswith("suite train")]
    assert all("top-set" in text and "is in the ledger" in text for text in trained)


def test_a_semi_supervised_method(followed: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    ((_, trained),) = follow("Learn from unlabelled data", followed, typed, monkeypatch).items()
    assert "mAP" in trained
    run = re.search(r"run (\w+) is in the ledger", trained)
    assert run is not None
    worth, _ = typed("analyse", "pseudo", run[1])
    assert "pseudo class accuracy" in worth
    assert "action_00" in worth


def test_a_dataset_in_three_steps(followed: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = follow("Add a dataset", followed, typed, monkeypatch)
    verified, looked, trained = printed.values()
    assert "labels_per_sample" in verified
    assert "what can be had without looking" in looked
    assert "top-set" in trained


def test_a_wrong_count_in_the_recipe_would_be_told(
    followed: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, commands = recipe("Add a dataset")
    for name, text in files.items():
        (followed / name).parent.mkdir(parents=True, exist_ok=True)
        (followed / name).write_text(text.replace("samples = 12", "samples = 13"), encoding="utf-8")
    monkeypatch.setenv("SUITE_DATASETS", ".")
    verify = next(command for command in commands if " verify " in command)
    _, err = typed(*shlex.split(verify)[1:], code=1)
    assert "samples is 12 where the card states 13" in err


def test_localization_data_with_a_dial_of_their_own(
    followed: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified, looked, weak, semi = follow("Read localization data", followed, typed, monkeypatch).values()
    assert "segments_per_session" in verified
    assert "units that no two splits share: 3 train, 1 validation, 1 test" in looked
    assert "mAP" in weak and "mAP" in semi
    sharp, moved = (load(name, root=followed / "data") for name in ("gym", "gym[jitter=1,split_seed=4]"))
    assert not np.allclose(sharp.train.segments.start, moved.train.segments.start)
    assert np.array_equal(sharp.test.segments.start, moved.test.segments.start)
    assert (moved.train.segments.end >= moved.train.segments.start).all()
    assert load("gym[labelled=0.5]", root=followed / "data").train.labelled.sum() == 2


def test_three_annotators_of_clips_and_of_segments(
    followed: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted by hand: ann is right in the 4 clips in which the others agree, bob in 3 of 4, cid in 4 of 5."""
    clips, segments, soft, everybody, _ = follow("Several annotators", followed, typed, monkeypatch).values()
    assert "top-set of each against the majority of the others: ann 1.000, bob 0.750, cid 0.800" in clips
    assert "mAP of each against the majority of the others: ann" in segments and "NO" not in clips + segments
    assert "top-set" in soft and "mAP" in everybody
    page = (followed / "outputs/reports/opinions/report.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if "| Annotators" in line]
    people = [(found[1], line) for line in lines if (found := re.search(r"\| (\d) annotators \|", line))]
    assert [count for count, _ in people] == ["3", "3", "2", "3", "3"]
    assert "85.0 ± 13.2" in people[0][1]
    loaded = {name: load(name, root=followed / "data") for name in ("mood", "mood[annotator=soft]", "chores")}
    assert loaded["mood"].train.ids.tolist() == ["a1", "a2", "b1", "b2", "c1", "c2"], "of c3 nobody agrees"
    share = loaded["mood[annotator=soft]"].train.target
    assert share is not None and share[1].tolist() == pytest.approx([1 / 3, 1, 0])
    test = loaded["chores"].test.segments
    rows = sorted(zip(test.video.tolist(), test.label.tolist(), test.start.tolist(), test.end.tolist()))
    assert rows == [(0, 0, 0, 4), (0, 1, 5, 8), (1, 0, 6, 8), (1, 1, 0, 2)]


def test_people_in_clips(followed: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    verified, trained = follow("Read people in clips", followed, typed, monkeypatch).values()
    assert "labels_per_sample" not in verified and "labels" in verified
    assert "mAP" in trained


def test_labels_of_frames_are_read_and_scored(followed: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of six frames one is wrong; of three runs but for background all overlap by half."""
    _, looked, trained, scored = follow("Labels of frames", followed, typed, monkeypatch).values()
    assert "2 classes; samples: 1 train, 1 validation, 1 test" in looked
    assert "mAP" in trained
    assert "0.8333" in scored
    data = load("salad", root=followed / "data")
    (first, second), found = data.test.segments.label, data.test.segments
    assert (first, second) == (0, 1)
    assert found.start.tolist() == [0, 4] and found.end.tolist() == [3, 6]


def test_a_task_from_outside(followed: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """With samples, reader and method of its own: checked, trained, scored from a file, on a board and in a sweep."""
    checked, trained, _, scored = follow("Add a task", followed, typed, monkeypatch).values()
    assert "NO" not in checked
    assert "accuracy" in trained
    rows = {(row["split"], row["selection"]): row["value"] for row in Ledger.of("outputs").metrics().to_dicts()}
    assert rows["test", "validation"] > 0.8
    assert f"accuracy {rows['test', 'validation']:.4g}" in " ".join(scored.split())
    rows = (
        '[[tables]]\ntitle = "T"\ndatasets = ["planted-bags", "planted-bags[noise=2]"]\nmethods = ["all"]\nseeds = 2\n'
    )
    (followed / "bags.toml").write_text(f'name = "bags"\ntitle = "Bags"\n{rows}')
    board = json.loads(typed("leaderboard", "bags.toml", "--jobs", 1, "--json")[0])
    assert (board["finished"], board["failed"], board["already"]) == (3, 0, 1)
    assert "Matched shares" in (followed / "outputs/reports/bags/index.html").read_text(encoding="utf-8")
    values = {"name": "rate", "methods": ["matched-shares"], "datasets": ["planted-bags"], "space": {"lr": [0.01, 0.1]}}
    places = Places(str(followed / "outputs"))
    check(validate(SweepSpec, values, "the test"), places)
    with pytest.raises(UsageError, match="no run of matched-shares reports 'accurcy'; did you mean 'accuracy'"):
        check(validate(SweepSpec, {**values, "objective": "accurcy"}, "the test"), places)


def test_a_board_of_two_datasets(followed: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    planned, done = follow("Add a board", followed, typed, monkeypatch).values()
    assert "0 finished, 24 to do" in planned
    assert "24 runs done now" in done


def test_a_sweep_of_six_settings(followed: Path) -> None:
    files, _ = recipe("Add a sweep")
    ((name, text),) = files.items()
    (followed / name).write_text(text, encoding="utf-8")
    (problem,) = problems(load_toml(followed / name, SweepSpec))
    settings = {(values["epsilon"], values["ambiguity"]) for values in problem.space.grid()}
    assert settings == {(epsilon, ambiguity) for epsilon in (0.0, 0.1, 0.3) for ambiguity in (1.0, 3.0)}
