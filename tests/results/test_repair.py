"""A ledger with damaged files: every command names the file and the remedy, and the remedy works."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
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


def names(ledger: Ledger) -> set[str]:
    logs = [path for path in Path(ledger.folder, "metrics", "_delta_log").glob("*") if path.name[0] != "_"]
    return {path.name for path in data_files(ledger, "metrics")} | {f"_delta_log/{path.name}" for path in logs}


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_checksums_follow_compaction_and_old_ledgers_have_none(ledger: Ledger) -> None:
    sums = Checksums(Path(ledger.folder, "metrics"))
    assert sums.known().keys() == names(ledger)
    ledger.compact(keep_hours=0)
    (merged,) = data_files(ledger, "metrics")
    assert sums.known().keys() == names(ledger) and repair(ledger).whole
    assert sums.known()[merged.name] == sha256_of(merged.read_bytes())
    shutil.rmtree(sums.file.parent)
    ledger.record(outcome(seed=99))
    assert len(sums.known()) == 2  # the data file and its commit
    sums.file.write_text(sums.file.read_text() + '{"file": "cut')
    assert repair(ledger).whole and sums.known().keys() == names(ledger)


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


@pytest.mark.parametrize("place", [0, 2, -1])
def test_a_damaged_commit_costs_nothing(ledger: Ledger, place: int) -> None:
    before = ledger.metrics().sort(pl.all())
    cut(commits(ledger, "metrics")[place])
    with pytest.raises(SuiteError, match=r"the ledger table .*metrics .*\(.*\); `suite results repair`"):
        Ledger(ledger.folder).metrics()
    found = repair(Ledger(ledger.folder))
    assert found.recovered and found.again.is_empty() and not found.lost_tables
    after = Ledger(ledger.folder)
    assert len(after.finished()) == RUNS and after.metrics().sort(pl.all()).equals(before) and repair(after).whole


@pytest.mark.parametrize("what", ["compaction", "deletion"])
def test_what_a_damaged_commit_merged_is_there_once_and_what_others_deleted_stays_away(
    ledger: Ledger, what: str
) -> None:
    if what == "compaction":
        ledger.compact(keep_hours=24)
        (ledger.stores["metrics"].paths()[0].parent / "_delta_log" / "_last_checkpoint").unlink()
        for file in Path(ledger.folder, "metrics", "_delta_log").glob("*.checkpoint.parquet"):
            file.unlink()
        damaged = next(path for path in commits(ledger, "metrics") if '"remove"' in path.read_text())
    else:
        ledger.delete([ledger.runs()["run"][1]])
        damaged = commits(ledger, "metrics")[3]
    before = ledger.metrics().sort(pl.all())
    text = damaged.read_text()
    damaged.write_text(text.replace('"add"', '"aed"', 1))  # one bit: a library passes over what it does not know
    with pytest.raises(SuiteError, match=r"metrics is damaged \(_delta_log/0.*json is not as it was written"):
        Ledger(ledger.folder).metrics()
    found = repair(Ledger(ledger.folder))
    assert bool(found.recovered) == (what == "deletion") and found.again.is_empty()  # what was merged is there still
    assert Ledger(ledger.folder).metrics().sort(pl.all()).equals(before)


def test_a_lost_table_of_metrics_is_noticed_and_its_runs_are_done_again(ledger: Ledger) -> None:
    shutil.rmtree(Path(ledger.folder, "metrics"))
    with pytest.raises(SuiteError, match="has lost its table of metrics; `suite results repair`"):
        Ledger(ledger.folder).finished()
    found = repair(Ledger(ledger.folder))
    assert sorted(found.again["seed"]) == list(range(RUNS))
    assert Ledger(ledger.folder).finished() == set()


def test_a_log_without_a_whole_commit_is_a_lost_table_unless_data_files_have_checksums(ledger: Ledger) -> None:
    for path in commits(ledger, "curves"):
        cut(path)
    again = shutil.copytree(ledger.folder, Path(ledger.folder).with_name("again"))
    found = repair(Ledger(again))
    assert found.recovered == RUNS and not found.lost_tables
    assert len(Ledger(again).curves()["run"].unique()) == RUNS
    shutil.rmtree(Path(ledger.folder, "checksums"))
    found = repair(Ledger(ledger.folder))
    assert found.lost_tables == ["curves"] and found.again.is_empty()
    after = Ledger(ledger.folder)
    assert after.curves().is_empty() and len(after.finished()) == RUNS
    after.record(outcome(seed=RUNS))
    assert len(after.curves())
