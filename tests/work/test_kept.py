"""Where results cannot be written: one sentence, nothing trained in vain, nothing trained twice."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import suite.places
from suite.errors import SuiteError, UsageError
from suite.leaderboard.run import Terms, run_plan
from suite.places import PROBE, Places
from suite.results.ledger import Ledger
from suite.results.store import Store
from suite.work.kept import ready, record_kept, record_or_keep
from tests.leaderboard.fakes import fake_execute, plan, starts
from tests.results.ledgers import outcome

ROOT = Path(__file__).resolve().parents[2]
FULL = "cannot write the ledger table x (No space left on device); check the folder, or choose another with --out."


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(str(tmp_path / "outputs"))


def full(*_: Any) -> None:
    raise SuiteError(FULL)


def test_what_the_ledger_cannot_take_is_kept_and_recorded_by_the_next_command(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, made = Ledger(places.ledger), [outcome(seed=0), outcome(seed=1).failed("broke")]
    with monkeypatch.context() as patch:
        patch.setattr(Store, "append", full)
        with pytest.raises(SuiteError, match=r"\(No space left.*\).* is kept in .*outputs/kept, the same command"):
            record_or_keep(ledger, made, places)
    assert ledger.runs().is_empty()
    places.checkpoint(made[0].id).parent.mkdir()
    places.checkpoint(made[0].id).touch()
    ready(places)
    direct = Ledger(places.local / "direct")
    direct.record_all(made)
    for name in ("runs", "metrics", "curves", "all_predictions"):
        got, wanted = (getattr(one, name)().drop("attempt") for one in (ledger, direct))
        assert got.sort(got.columns[:6]).equals(wanted.sort(wanted.columns[:6])), name
    assert not places.checkpoint(made[0].id).exists()
    assert record_kept(ledger, places) == [] and len(ledger.runs(all_attempts=True)) == 2


def test_a_command_that_died_after_recording_records_nothing_twice(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(places.ledger)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "append", full)
        with pytest.raises(SuiteError):
            record_or_keep(ledger, [outcome(seed=0)], places)
        patch.undo()
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        assert record_kept(ledger, places) == [outcome(seed=0).id]
    assert record_kept(ledger, places) == [] and len(ledger.runs(all_attempts=True)) == 1


def test_another_place_is_taken_where_the_disk_of_the_ledger_is_full(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places.local.mkdir()
    (places.local / "kept").write_text("a file, so that nothing fits in")
    with monkeypatch.context() as patch:
        patch.setattr(Store, "append", full)
        with pytest.raises(SuiteError, match=str(tmp_path / "home")):
            record_or_keep(Ledger(places.ledger), [outcome(seed=0)], places)
    assert record_kept(Ledger(places.ledger), Places(str(tmp_path / "elsewhere"))) == []
    assert record_kept(Ledger(places.ledger), places) == [outcome(seed=0).id]


def test_where_nothing_takes_it_the_sentence_says_so(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Store, "append", full)
    monkeypatch.setattr("pyarrow.parquet.write_table", no_room)
    with pytest.raises(SuiteError, match=r"nor is there another place to keep run .*, which has to be trained again"):
        record_or_keep(Ledger(places.ledger), [outcome(seed=0)], places)
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_kept_file_that_is_damaged_stays_and_stops_nobody(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Store, "append", full)
        with pytest.raises(SuiteError):
            record_or_keep(Ledger(places.ledger), [outcome(seed=0)], places)
    (damaged,) = places.local.glob("kept/*/metrics.parquet")
    damaged.write_bytes(b"PAR1")
    assert record_kept(Ledger(places.ledger), places) == [] and damaged.exists()


def test_a_board_ends_with_the_first_run_that_cannot_be_recorded(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Store, "append", full)
        with pytest.raises(SuiteError, match=r"No space left on device.*is kept in"):
            run_plan(plan(Ledger(places.ledger), 3), places, terms=Terms(jobs=1), execute=fake_execute)
    assert len(starts(places.local)) == 1
    ready(places)
    run_plan(plan(Ledger(places.ledger), 3), places, terms=Terms(jobs=1), execute=fake_execute)
    assert sorted(starts(places.local)) == [0, 1, 2]


def test_too_little_room_is_said_before_anything_trains(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite.places, "ROOM", 2**60)
    with pytest.raises(UsageError, match=r"MiB are free on the disk of .*; make room, or choose another folder"):
        ready(places)


# With real file systems -----------------------------------------------------------------------------------------------

TRAIN = ("train", "assume-negative", "planted-verbs[train=60,validation=30,test=40]", "--epochs", "1")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB, where mounting is allowed."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], capture_output=True)
    if done.returncode:
        pytest.skip("needs the right to mount")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


WAITING = "suite: the weights of run"  # and that they are kept elsewhere


def suite_says(*words: str, code: int, room: int | None = None, home: Path) -> str:
    """What a command said, of which one line at the most is an error; ``room`` bytes are enough for it."""
    program = "from suite.cli import main; main()"
    if room is not None:
        program = f"import suite.places; suite.places.ROOM = {room}; {program}"
    environment = {**os.environ, "XDG_DATA_HOME": str(home), "OMP_NUM_THREADS": "1", "TMPDIR": str(home.parent)}
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, cwd=ROOT, env=environment
    )
    assert done.returncode == code, done.stderr
    lines = [line for line in done.stderr.strip().splitlines() if not line.startswith(("suite: epoch", WAITING))]
    assert len(lines) <= 1 or code == 0, done.stderr
    return done.stderr


@pytest.mark.slow
def test_a_full_disk(disk: Path, tmp_path: Path) -> None:
    out, home = str(disk / "outputs"), tmp_path / "home"
    train = ("train", "assume-negative", "planted-verbs[train=60,validation=30,test=2000]", "--epochs", "1")
    assert "24 MiB are free" in suite_says(*train, "--out", out, code=2, home=home)
    suite_says(*train, "--out", out, code=0, room=0, home=home)
    filler = disk / "filler"
    with filler.open("wb") as file:
        file.write(bytes(shutil.disk_usage(disk).free - PROBE - 2**14))
    said = suite_says(*train, "--seed", "1", "--out", out, code=1, room=0, home=home)
    assert "No space left on device" in said and "is kept in" in said and str(home) in said, said
    filler.unlink()
    again = suite_says(*train, "--seed", "1", "--out", out, code=0, room=0, home=home)
    assert "recorded 1 runs that an earlier command had to keep" in again
    rows = Ledger.of(out).runs(all_attempts=True)
    assert len(rows) == 2 and set(rows["status"]) == {"finished"}


@pytest.mark.slow
def test_a_disk_that_may_only_be_read(disk: Path, tmp_path: Path) -> None:
    out, home = str(disk / "outputs"), tmp_path / "home"
    suite_says(*TRAIN, "--out", out, code=0, room=0, home=home)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    board = ("leaderboard", "quick", "--out", out)
    for words in ((*TRAIN, "--out", out), board, ("sweep", "neighbours", "--out", out)):
        assert f"cannot write to {out} (Read-only file system)" in suite_says(*words, code=2, room=0, home=home)
    for words in (("results", "compact"), ("report", "quick")):
        suite_says(*words, "--out", out, code=1, room=0, home=home)
    suite_says("results", "list", "--out", out, code=0, home=home)
