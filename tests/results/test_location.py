"""Ledgers in folders with the names that people give."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.errors import UsageError
from suite.results.ledger import Ledger
from suite.results.location import location
from tests.results.ledgers import outcome


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.parametrize(
    "name", ["My Folder", "Überall", "it's", 'a "q"', "100%", "#1", "why?", "[x]", "%20", "a|b", "{}*"]
)
def test_any_name_of_a_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name / "outputs"
    assert Ledger.of(folder).runs().is_empty() and not folder.exists()  # looking creates nothing
    for seed in range(2):
        Ledger.of(folder).record(outcome(seed=seed))
    ledger = Ledger.of(folder)
    ledger.delete([outcome(seed=0).id])
    ledger.compact(keep_hours=0, orphan_seconds=0)
    ledger.record(outcome(seed=2))
    assert Ledger.of(folder).finished() == {outcome(seed=1).id, outcome(seed=2).id}
    assert len(Ledger.of(folder).predictions(outcome(seed=1).id)) == 2
    assert (folder / "ledger" / "runs" / "_delta_log").is_dir()


def test_all_at_once_below_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / 'Überall [x] %20 "q"'
    folder.mkdir()
    monkeypatch.chdir(folder)
    Ledger.of("outputs").record(outcome())
    assert Ledger.of("outputs").finished() == Ledger.of(folder / "outputs").finished() == {outcome().id}


def test_a_ledger_that_was_moved_below_such_a_name_is_refused(tmp_path: Path) -> None:
    Ledger.of(tmp_path / "plain").record(outcome())
    (tmp_path / "plain").rename(tmp_path / "[x]")
    with pytest.raises(UsageError, match=r"cannot be opened under a path with '\['; rename"):
        Ledger.of(tmp_path / "[x]")


def test_a_plain_path_is_its_own_location(tmp_path: Path, home: Path) -> None:
    assert location(tmp_path / "a b") == tmp_path / "a b"
    assert not home.exists()
