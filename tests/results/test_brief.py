"""A ledger's runs in brief: the same as its table says, read from a file only while the table is as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.errors import SuiteError
from suite.results import brief as module
from suite.results.brief import brief, in_brief
from suite.results.ledger import Ledger
from tests.results.ledgers import outcome


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path / "ledger")
    made.record_all([outcome(seed=0), outcome(seed=1, status="failed", seconds=None), outcome("ce", epochs=3)])
    return made


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list that grows with each reading of the table itself."""
    seen: list[str] = []
    own = module._read
    monkeypatch.setattr(module, "_read", lambda folder: seen.append(str(folder)) or own(folder))
    return seen


def test_brief_is_what_the_table_says_and_is_read_once(ledger: Ledger, tmp_path: Path, read: list[str]) -> None:
    file = tmp_path / "cache" / "runs.json"
    first, second = (brief(ledger.folder, file) for _ in range(2))
    assert list(first) == list(second) == list(in_brief(ledger.runs())) and len(read) == 1
    assert [row["epochs"] for row in second] == ledger.runs()["epochs"].to_list()


def test_each_change_of_the_table_is_seen(ledger: Ledger, tmp_path: Path, read: list[str]) -> None:
    file = tmp_path / "runs.json"
    brief(ledger.folder, file)
    changes = (
        lambda: ledger.record(outcome(seed=7)),
        lambda: ledger.record(outcome(seed=1)),
        lambda: ledger.delete([outcome(seed=0).id]),
        lambda: ledger.compact(keep_hours=0.0),
    )
    for count, change in enumerate(changes, start=2):
        change()
        assert list(brief(ledger.folder, file)) == list(in_brief(Ledger(ledger.folder).runs()))
        assert len(read) == count


def test_damage_is_found(ledger: Ledger, tmp_path: Path) -> None:
    """Of the file, which is then made anew, and of the table, as it is by reading all of it."""
    file = tmp_path / "runs.json"
    whole = list(brief(ledger.folder, file))
    content = file.read_bytes()
    for place in range(0, len(content), 97):
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert list(brief(ledger.folder, file)) == whole
    (data,) = (Path(ledger.folder) / "runs").glob("*.parquet")
    content = data.read_bytes()
    data.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    with pytest.raises(SuiteError, match="damaged"):
        brief(ledger.folder, file)


def test_without_a_ledger_there_is_nothing(tmp_path: Path) -> None:
    assert not brief(tmp_path / "none", tmp_path / "runs.json") and not (tmp_path / "runs.json").exists()
