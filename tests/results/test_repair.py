"""A ledger with damaged files: every command names the file and the remedy, and the remedy works."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from suite.errors import SuiteError
from suite.results.checksums import Checksums
from suite.results.ledger import Ledger
from suite.results.repair import _whole, repair
from tests.results.ledgers import outcome

RUNS = 5


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path / "ledger")
    for seed in range(RUNS):
        made.record(outcome(seed=seed))
    return made


def data_files(ledger: Ledger, table: str) -> list[Path]:
    return sorted(Path(ledger.folder, table).glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)


def commits(ledger: Ledger, table: str) -> list[Path]:
    return sorted(Path(ledger.folder, table, "_delta_log").glob("*.json"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4 : len(content) // 2] = bytes(len(content) // 2 - 4)
    path.write_bytes(content)


def test_one_flipped_bit_in_a_file_that_can_be_read_is_found(ledger: Ledger) -> None:
    path = data_files(ledger, "metrics")[1]
    whole, unnoticed = path.read_bytes(), 0
    for place in range(4, len(whole), len(whole) // 40):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert not _whole(path, sha256_of(whole)) and _whole(path, None) in (True, False)
        unnoticed += _whole(path, None)
    assert unnoticed, "some bits change numbers, or nothing, without an error"
    assert len(repair(ledger).files) == 1
    after = Ledger(ledger.folder)
    assert len(after.runs()) == RUNS - 1 and repair(after).whole


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_checksums_follow_compaction_and_old_ledgers_have_none(ledger: Ledger) -> None:
    sums = Checksums(Path(ledger.folder, "metrics"))
    assert sums.known().keys() == {path.name for path in data_files(ledger, "metrics")}
    ledger.compact(keep_hours=0)
    (merged,) = data_files(ledger, "metrics")
    assert sums.known() == {merged.name: sha256_of(merged.read_bytes())} and repair(ledger).whole
    shutil.rmtree(sums.file.parent)
    assert repair(ledger).whole and sums.known() == {}
    ledger.record(outcome(seed=99))
    sums.file.write_text(sums.file.read_text() + '{"file": "cut')
    assert len(sums.known()) == 1 and repair(ledger).whole


def test_a_whole_ledger_is_left_alone(ledger: Ledger) -> None:
    assert repair(ledger).whole
    assert len(ledger.runs()) == RUNS and not Path(ledger.folder, "quarantine").exists()


@pytest.mark.parametrize("harm", [cut, garble, Path.unlink])
@pytest.mark.parametrize("table", ["metrics", "runs"])
def test_a_damaged_data_file_costs_the_runs_in_it(ledger: Ledger, table: str, harm: Callable[[Path], None]) -> None:
    harm(data_files(ledger, table)[1])
    fresh = Ledger(ledger.folder)
    with pytest.raises(SuiteError, match=rf"{table} is damaged .*; `suite results repair` sets damaged files aside"):
        fresh.runs() if table == "runs" else fresh.metrics()
    found = repair(fresh)
    assert len(found.files) == 1
    after = Ledger(ledger.folder)
    assert len(after.runs()) == RUNS - 1 and after.metrics()["run"].n_unique() >= RUNS - 1
    assert len(found.again) == (table == "metrics")
    seed = next(iter({*range(RUNS)} - set(after.runs()["seed"])))
    after.record(outcome(seed=seed))
    assert len(after.finished()) == RUNS and repair(after).whole


def test_a_cut_commit_costs_what_was_written_last(ledger: Ledger) -> None:
    cut(commits(ledger, "metrics")[-1])
    with pytest.raises(SuiteError, match=r"cannot read the ledger table .*metrics \(.*\); `suite results repair`"):
        Ledger(ledger.folder).metrics()
    found = repair(Ledger(ledger.folder))
    assert found.again["seed"].to_list() == [RUNS - 1]
    assert len(Ledger(ledger.folder).finished()) == RUNS - 1


def test_a_lost_table_of_metrics_is_noticed_and_its_runs_are_done_again(ledger: Ledger) -> None:
    shutil.rmtree(Path(ledger.folder, "metrics"))
    with pytest.raises(SuiteError, match="has lost its table of metrics; `suite results repair`"):
        Ledger(ledger.folder).finished()
    found = repair(Ledger(ledger.folder))
    assert sorted(found.again["seed"]) == list(range(RUNS))
    assert Ledger(ledger.folder).finished() == set()


def test_a_log_without_a_whole_commit_is_a_lost_table(ledger: Ledger) -> None:
    for path in commits(ledger, "curves"):
        cut(path)
    found = repair(Ledger(ledger.folder))
    assert found.lost_tables == ["curves"] and found.again.is_empty()
    after = Ledger(ledger.folder)
    assert after.curves().is_empty() and len(after.finished()) == RUNS
    after.record(outcome(seed=RUNS))
    assert len(after.curves())
