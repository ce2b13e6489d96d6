"""Notes of commands at work: written beside the ledger, read from elsewhere, gone when the command ends."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from suite.cli import build
from suite.leaderboard.run import Terms, run_plan
from suite.places import Places
from suite.results.ledger import Ledger
from suite.train.storage.reporter import Doing, Progress, Silent
from suite.work import notes as module
from suite.work.notes import Notes, Noting, noting, read_notes
from suite.work.progress import Pace, Running, Standing, brief, noted
from suite.work.source import HERE
from suite.work.worker import GoOn
from tests.leaderboard.fakes import fake_execute, plan
from tests.results.test_remote import bucket  # noqa: F401  (a fixture)

RUNNING = Running("mask-bce on planted-verbs, seed 3", "w1", 4, 20, "mAP", 0.61, 8.0)
STANDING = Standing("sweep toys", 5, 20, 1, (RUNNING, Running("other", "w2")), "0.7100", 60.0, 200.0)


def test_a_line_says_how_far_what_is_best_and_how_long() -> None:
    assert STANDING.line() == (
        "sweep toys: 5 of 20 done, 1 failed, 2 running, best 0.7100, about 3 min left | "
        "mask-bce on planted-verbs, seed 3: epoch 4 of 20, mAP 0.610; other: starts"
    )
    assert Standing("t", 0, float("inf")).line() == "t: 0 done, 0 running"
    assert "epoch 7" in Running("counts steps", done=7, total=7).in_words()
    within = Running("long", done=2, total=9, metric="mAP", value=0.5, doing="step 3 of 1,200")
    assert within.in_words() == "long: epoch 2 of 9, mAP 0.500, step 3 of 1,200"
    assert Running("long", doing="scoring: clip 80 of 900").in_words() == "long: scoring: clip 80 of 900"
    settled = Standing("t", 0, 1, 0, (within,)).settled()
    assert settled.line() == "t: 0 of 1 done, 1 running | long: epoch 2 of 9, mAP 0.500"


def test_the_first_epochs_of_the_first_runs_give_an_estimate() -> None:
    assert Pace(20).left(0.0, 4.0) is None
    assert Pace(20).left(0.1, 4.0) == pytest.approx(796.0)
    assert Pace(20, done=5).left(0.0, 50.0) == pytest.approx(150.0)
    assert Pace(float("inf"), done=5).left(0.0, 50.0) is None


def test_of_a_report_only_the_judging_number_travels() -> None:
    progress = Progress("train", 1, 1, 5, {"train/loss": 2.0, "validation/mAP": 0.4, "validation/F1": 0.5})
    assert noted(brief(progress)) == ("mAP", 0.4)
    assert brief(progress).values == {"validation/mAP": 0.4}
    assert noted(Progress("train", 1, 1, 5, {"train/loss": 2.0})) == ("", None)


def test_a_note_is_read_as_it_was_written_and_goes_with_its_command(tmp_path: Path) -> None:
    places = Places(str(tmp_path))
    assert read_notes(places) == []
    with noting(places) as notes:
        notes.tell(STANDING)
        notes.tell(Standing("sweep toys", 6, 20))  # too soon after the first
        (found,) = read_notes(places)
        assert found.standing == STANDING and found.process == os.getpid() and not found.silent
    assert read_notes(places) == [] and not list((tmp_path / "status").iterdir())


def test_a_training_is_seen_before_its_first_epoch_ends_and_while_one_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY", 0.05)
    places = Places(str(tmp_path))
    with noting(places) as notes:
        reporter = Noting(notes, "asl on thumos-14", Silent())
        assert (
            read_notes(places)[0].standing.line()
            == "train asl on thumos-14: 0 of 1 done, 1 running | asl on thumos-14: starts"
        )
        reporter.tell(Doing("step", 5, 80))
        while not (words := read_notes(places)[0].standing.running[0].doing):
            time.sleep(0.02)
        assert words == "step 5 of 80"
        reporter.report(Progress("train", 1, 1, 4, {"validation/mAP": 0.25}))
        deadline, ages = time.monotonic() + 20, set()
        while len(ages) < 3:  # goes on being written without another word
            assert time.monotonic() < deadline
            with suppress(IndexError):
                standing = read_notes(places)[0].standing
                ages |= {standing.seconds} if standing.running[0].done else set()
            time.sleep(0.02)
    assert read_notes(places) == []


def test_a_command_that_was_killed_is_told_from_one_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places, now = Places(str(tmp_path)), time.time()
    monkeypatch.setattr(module.time, "time", lambda: now - 600)
    Notes(places).tell(STANDING)
    monkeypatch.setattr(module.time, "time", lambda: now)
    (found,) = read_notes(places)
    assert found.silent and found.age == pytest.approx(600)
    said = CliRunner().invoke(build(), ["status", "--out", str(tmp_path)]).stdout
    assert "sweep toys: not heard of for 10 min, killed?" in said and "ledger: empty" in said
    monkeypatch.setattr(module.time, "time", lambda: now + module.FORGET)
    assert read_notes(places) == [] and not list((tmp_path / "status").glob("*.json"))


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "status").mkdir()
    for number, text in enumerate(("", "{}", '{"standing": {"nobody": 1}}', "[1]")):
        (tmp_path / "status" / f"{number}.json").write_text(text)
    assert read_notes(Places(str(tmp_path))) == []


def test_a_folder_that_takes_no_note_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("a file where the folder should be")
    with noting(Places(str(tmp_path))) as notes:
        notes.tell(STANDING)


def test_notes_travel_by_an_object_store(bucket: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    for name, value in bucket.items():
        monkeypatch.setenv(name, value)
    places = Places("s3://lab/outputs")
    with noting(places) as notes:
        notes.tell(STANDING)
        until = time.monotonic() + 20
        while not read_notes(places):
            assert time.monotonic() < until
            time.sleep(0.1)
        assert read_notes(places)[0].standing == STANDING
    assert read_notes(places) == []


def test_a_board_says_what_it_begins_with_before_that_reports_anything(tmp_path: Path) -> None:
    places, shown = Places(str(tmp_path)), []

    def execute(spec, places, reporter=None, machine=None, group=""):
        assert len(shown) == 1
        return fake_execute(spec, places, reporter, machine, group)

    run_plan(plan(Ledger(places.ledger), 1), places, Terms(jobs=1), execute=execute, show=shown.append)
    assert [one.in_words() for one in shown[0].running] == ["Mask BCE on planted-verbs, seed 0: starts"]


def test_an_epoch_that_ended_too_soon_to_be_told_is_told_before_what_is_being_done_since() -> None:
    heard: list[Progress | Doing] = []

    class Hearing:
        every = 0.05

        def report(self, progress: Progress) -> bool:
            heard.append(progress)
            return True

        def tell(self, doing: Doing) -> bool:
            heard.append(doing)
            return len(heard) < 4

    reporter, first = GoOn(Hearing()), Progress("train", 1, 1, 9, {})  # type: ignore[arg-type]
    assert reporter.report(first) and heard == [], "a moment after the start"
    for step in (1, 2):
        time.sleep(0.06)
        reporter.tell(Doing("step", step))
        reporter.tell(Doing("step", step + 10))
    assert heard == [first, Doing("step", 2)]
    assert reporter.report(second := replace(first, epoch=2, done=2))
    for step in (3, 4):
        time.sleep(0.06)
        reporter.tell(Doing("step", step))
    assert heard == [first, Doing("step", 2), second, Doing("step", 4)]
    assert not reporter.report(first), "the source said so"


def test_a_board_is_seen_from_another_process_while_it_works(tmp_path: Path) -> None:
    """The board is held in its first run until ``suite status`` has shown the epoch."""
    places, go_on = Places(str(tmp_path)), threading.Event()
    said: list[str] = []

    def execute(spec, places, reporter=None, machine=None, group=""):
        reporter.source.every = 0.0
        reporter.tell(Doing("step", 7, 90))
        reporter.report(Progress("train", 1, 1, 4, {"validation/mAP": 0.25}))
        reporter.tell(Doing("step", 8, 90))
        go_on.wait(20)
        return fake_execute(spec, places, reporter, machine, group)

    def show(standing: Standing) -> None:
        if standing.running and standing.running[0].done and standing.running[0].doing and not go_on.is_set():
            outcome = CliRunner().invoke(build(), ["status", "--out", str(tmp_path), "--json"])
            said.append(outcome.stdout)
            go_on.set()

    from suite.work import worker

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(worker, "LOOK_EVERY", -1.0)
        patched.setattr("suite.work.notes.EVERY", 0.0)
        patched.setattr("suite.work.notes.Notes.repeat", lambda notes: None)  # each standing is written once
        run_plan(plan(Ledger(places.ledger), 2), places, Terms(jobs=1), execute=execute, show=show)
    (command,) = json.loads(said[0])["commands"]
    (one,) = command["standing"]["running"]
    assert one["done"] == 1 and one["total"] == 4 and one["value"] == 0.25 and one["worker"] == HERE
    assert one["what"] == "Mask BCE on planted-verbs, seed 0" and one["doing"] == "step 8 of 90"
    assert command["standing"]["planned"] == 2 and command["standing"]["left"] is not None
    assert read_notes(places) == []
