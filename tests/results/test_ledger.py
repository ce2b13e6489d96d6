"""The ledger: what is recorded is read back, and nothing half-recorded is ever seen."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import time

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from suite.errors import SuiteError, UsageError
from suite.results import store as store_module
from suite.results.attempts import age, new_attempt
from suite.results.ledger import Ledger
from suite.results.schema import SCHEMA_VERSION, TABLES, Outcome, to_table
from tests.results.ledgers import outcome


def test_record_and_read_back(tmp_path):
    ledger = Ledger(tmp_path)
    first = outcome(seed=3, value=0.25)
    ledger.record(first)
    assert ledger.finished() == {first.id}
    row = ledger.runs().row(0, named=True)
    assert row["seed"] == 3 and row["epochs"] is None and row["error"] == "" and row["schema"] == SCHEMA_VERSION
    metrics = ledger.metrics()
    assert len(metrics) == 18 and set(metrics["value"]) == {0.25} and metrics["threshold"].null_count() == 18
    assert ledger.curves()["epoch"].to_list() == [0, 1, 2]
    predictions = ledger.predictions(first.id)
    assert predictions["item"].to_list() == ["a", "b"]
    assert predictions["scores"].to_list()[1] == pytest.approx([0.3, 0.3])
    assert predictions["label"].null_count() == 2


def test_many_at_once_cost_one_append_a_table(tmp_path):
    ledger = Ledger(tmp_path)
    attempts = ledger.record_all([outcome(seed=seed) for seed in range(4)])
    assert len(set(attempts)) == 4 and set(ledger.runs()["attempt"]) == set(attempts)
    assert [store.files for store in ledger.stores.values()] == [1, 1, 1, 1]
    assert len(ledger.predictions(outcome(seed=2).id)) == 2 and ledger.record_all([]) == []


def test_empty_ledger_reads_as_empty(tmp_path):
    ledger = Ledger(tmp_path / "nothing")
    assert ledger.finished() == set()
    for frame, name in ((ledger.runs(), "runs"), (ledger.metrics(), "metrics"), (ledger.curves(), "curves")):
        assert frame.is_empty() and frame.columns == TABLES[name].names
    assert ledger.compact() == {"files_before": 0, "files": 0, "superseded": 0, "orphans": 0}
    assert not (tmp_path / "nothing").exists()


def test_finished_attempt_wins_over_failures_before_and_after(tmp_path):
    ledger = Ledger(tmp_path)
    run = outcome(seed=1)
    ledger.record(run.failed("the disk\nwas full"))
    assert ledger.finished() == set() and ledger.runs()["error"].to_list() == ["the disk was full"]
    good = ledger.record(run)
    ledger.record(run.failed("again"))
    assert ledger.runs()["attempt"].to_list() == [good]
    assert len(ledger.metrics()) == 18
    assert len(ledger.runs(all_attempts=True)) == 3
    ledger.compact(keep_hours=0)
    assert len(ledger.runs(all_attempts=True)) == 1 and len(ledger.metrics()) == 18


def test_the_same_run_recorded_twice_counts_once(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.record(outcome(value=0.1))
    ledger.record(outcome(value=0.1))
    assert len(ledger.runs()) == 1 and len(ledger.metrics()) == 18


def test_a_writer_that_dies_before_the_runs_row_leaves_only_orphans(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path)
    ledger.record(outcome(seed=0))
    append = store_module.Store.append

    def dying(self, rows):
        if self.name == "runs":
            raise KeyboardInterrupt
        append(self, rows)

    with monkeypatch.context() as patch:
        patch.setattr(store_module.Store, "append", dying)
        with pytest.raises(KeyboardInterrupt):
            ledger.record(outcome(seed=1))
    dead = outcome(seed=1).id
    assert dead not in ledger.finished() and dead not in set(ledger.metrics()["run"])
    assert ledger.predictions(dead).is_empty()
    assert dead in set(ledger.stores["metrics"].read()["run"])
    assert ledger.compact()["orphans"] == 0  # young: its writer may still be at work
    assert ledger.compact(orphan_seconds=0)["orphans"] == 1
    assert dead not in set(ledger.stores["metrics"].read()["run"])
    assert len(ledger.metrics()) == 18 and len(ledger.predictions(outcome(seed=0).id)) == 2


def _write(folder, worker, count):
    ledger = Ledger(folder)
    for i in range(count):
        ledger.record(outcome(method=f"w{worker}", seed=i))


def test_concurrent_writers_from_nothing(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write, args=(str(tmp_path), w, 10)) for w in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * 4
    ledger = Ledger(tmp_path)
    assert len(ledger.finished()) == 40 and len(ledger.metrics()) == 40 * 18 and len(ledger.curves()) == 120
    assert ledger.compact()["files"] == 4
    assert len(ledger.finished()) == 40 and len(ledger.metrics()) == 40 * 18


def _write_for_ever(folder):
    ledger, i = Ledger(folder), 0
    while True:
        ledger.record(outcome(seed=i))
        i += 1


def test_killed_writer_leaves_a_consistent_ledger(tmp_path):
    worker = multiprocessing.get_context("spawn").Process(target=_write_for_ever, args=(str(tmp_path),))
    worker.start()
    ledger, deadline = Ledger(tmp_path), time.monotonic() + 60
    while len(ledger.finished()) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    runs = ledger.runs()
    assert len(runs) >= 3
    counts = ledger.metrics().group_by("run").len()
    assert set(counts["run"]) == set(runs["run"]) and set(counts["len"]) == {18}
    ledger.record(outcome(method="after"))
    ledger.compact(keep_hours=0, orphan_seconds=0)
    assert len(ledger.runs()) == len(runs) + 1


def test_appends_while_another_compacts_and_deletes(tmp_path):
    worker = multiprocessing.get_context("spawn").Process(target=_write, args=(str(tmp_path), 0, 25))
    ledger = Ledger(tmp_path)
    ledger.record(outcome(method="gone"))
    worker.start()
    while worker.is_alive():
        ledger.compact()
        ledger.delete([outcome(method="gone").id])
    assert worker.exitcode == 0 and len(ledger.finished()) == 25 and len(ledger.metrics()) == 25 * 18


def test_delete_and_resolve(tmp_path):
    ledger = Ledger(tmp_path)
    for seed in range(3):
        ledger.record(outcome(seed=seed))
    victim = outcome(seed=1).id
    assert ledger.resolve(victim[:10]) == victim
    assert ledger.delete([victim, "0000000000000000"]) == 1
    assert victim not in ledger.finished() and len(ledger.metrics()) == 36
    with pytest.raises(UsageError, match="not the id of a run"):
        ledger.resolve(victim)
    with pytest.raises(UsageError, match="beginning of 2 runs"):
        ledger.resolve("")


def test_wrong_columns_are_told(tmp_path):
    ledger, good = Ledger(tmp_path), outcome()
    with pytest.raises(SuiteError, match="metrics has no column 'klass'"):
        ledger.record(Outcome(good.run, [{**good.metrics[0], "klass": "x"}]))
    with pytest.raises(SuiteError, match="metrics needs the column 'value'"):
        ledger.record(Outcome(good.run, [{"split": "test", "selection": "last", "metric": "mAP"}]))
    assert ledger.runs().is_empty()


@pytest.mark.parametrize(("version", "remedy"), [(99, "upgrade the suite"), (0, "export it")])
def test_other_schema_versions_are_refused_in_one_sentence(tmp_path, version, remedy):
    DeltaTable.create(str(tmp_path / "runs"), TABLES["runs"], description=f"ledger, schema {version}")
    for act in (Ledger(tmp_path).runs, lambda: Ledger(tmp_path).record(outcome())):
        with pytest.raises(SuiteError, match=remedy) as told:
            act()
        assert "\n" not in str(told.value) and f"schema {version}" in str(told.value)


LACKING = {1: ("carried", "memory"), 2: ("memory",)}  # of older schemas


def _of_schema(version, folder, *outcomes):
    """A ledger as suites of an older schema wrote it."""
    for name, schema in TABLES.items():
        older = pa.schema([field for field in schema if field.name not in LACKING[version]])
        said = f"ledger of the weak-action-suite, schema {version}"
        DeltaTable.create(str(folder / name), older, description=said)
        for one in outcomes:
            rows = [{**one.run, "schema": version}] if name == "runs" else getattr(one, name)
            write_deltalake(str(folder / name), to_table(name, rows, one.id, one.id).select(older.names), mode="append")


@pytest.mark.parametrize("version", LACKING)
def test_a_ledger_of_an_older_schema_is_read_as_it_is(version, tmp_path):
    old = outcome(seed=1, **({"carried": "solo"} if version > 1 else {}))
    _of_schema(version, tmp_path, old)
    ledger = Ledger(tmp_path)
    assert ledger.finished() == {old.id}
    carried = "solo" if version > 1 else ""
    assert ledger.runs().select("carried", "memory", "schema").rows() == [(carried, None, version)]
    assert ledger.runs().columns == TABLES["runs"].names
    held = DeltaTable(str(tmp_path / "runs")).schema().to_arrow().names
    assert not set(held) & set(LACKING[version])  # reading changes nothing


@pytest.mark.parametrize("version", LACKING)
def test_the_next_append_upgrades_a_ledger_of_an_older_schema(version, tmp_path):
    _of_schema(version, tmp_path, outcome(seed=1))
    ledger = Ledger(tmp_path)
    for seed in (2, 3):
        ledger.record(outcome(seed=seed, carried="packed", memory=0.5))
    now = ("packed", 0.5, SCHEMA_VERSION)
    assert ledger.runs().select("carried", "memory", "schema").rows() == [("", None, version), now, now]
    assert len(ledger.metrics()) == 3 * 18
    ledger.compact(keep_hours=0)
    assert Ledger(tmp_path).runs()["carried"].to_list() == ["", "packed", "packed"]
    assert f"schema {SCHEMA_VERSION}" in DeltaTable(str(tmp_path / "runs")).metadata().description


def test_many_writers_upgrade_a_ledger_at_once(tmp_path):
    _of_schema(1, tmp_path, outcome(seed=1))
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write, args=(str(tmp_path), w, 3)) for w in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * 3
    assert len(Ledger(tmp_path).finished()) == 10 and len(Ledger(tmp_path).metrics()) == 10 * 18


def test_unwritable_folder_is_told_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(SuiteError, match="choose another with --out") as told:
        Ledger(tmp_path / "file" / "ledger").record(outcome())
    assert "\n" not in str(told.value)


def test_pickled_ledger_goes_on(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.record(outcome(seed=0))
    pickle.loads(pickle.dumps(ledger)).record(outcome(seed=1))
    assert len(ledger.finished()) == 2


def test_runs_filter(tmp_path):
    ledger = Ledger(tmp_path)
    for seed in range(3):
        ledger.record(outcome(seed=seed))
    wanted = [outcome(seed=2).id]
    assert ledger.metrics(wanted)["run"].unique().to_list() == wanted
    assert ledger.curves([]).is_empty()
    assert ledger.runs().filter(pl.col("run").is_in(wanted)).height == 1


def test_attempt_names_tell_their_age():
    assert 0 <= age(new_attempt()) < 60
    assert age("not-a-uuid") == float("inf")
    assert len({new_attempt() for _ in range(1000)}) == 1000


def test_a_ledger_tidies_itself_and_keeps_the_order_of_a_run(tmp_path, monkeypatch):
    """Few files however many commits; a run's curve stays a course in time, also after ``compact``."""
    monkeypatch.setattr("suite.results.store.TIDY_EVERY", 10)
    ledger = Ledger(tmp_path)
    places = [(phase, step) for phase in ("first", "second") for step in (0, 100, 50)]
    for seed in range(25):
        made = outcome("mask-bce", seed)
        curve = [{**made.curves[0], "phase": phase, "step": step} for phase, step in places]
        ledger.record(Outcome(made.run, made.metrics, curve, made.predictions))
    store = ledger.stores["curves"]
    assert store.files <= 11 and Ledger(tmp_path).runs()["seed"].to_list() == list(range(25))
    assert list((tmp_path / "curves" / "_delta_log").glob("*.checkpoint.parquet"))
    for _ in range(2):
        for _, own in ledger.curves().group_by("run", maintain_order=True):
            assert list(own.select("phase", "step").iter_rows()) == places
        ledger.compact(keep_hours=0)
    assert store.files == 1


def test_an_append_that_cannot_tidy_is_still_an_append(tmp_path, monkeypatch):
    monkeypatch.setattr("suite.results.store.TIDY_EVERY", 1)
    monkeypatch.setattr(store_module.Store, "_merge", lambda *_: (_ for _ in ()).throw(OSError("no space")))
    ledger = Ledger(tmp_path)
    ledger.record_all([outcome("mask-bce", seed) for seed in range(3)])
    assert len(ledger.runs()) == 3


def test_rows_of_a_table_in_chunks_keep_their_order(tmp_path):
    """Frames that were read come in chunks, which the writer would store side by side."""
    parts = [
        to_table("curves", [{"split": "train", "metric": "loss", "step": step, "value": 0.0}], "one", "a")
        for step in range(20)
    ]
    store = Ledger(tmp_path).stores["curves"]
    store.append(pa.concat_tables(parts))
    assert store.read()["step"].to_list() == list(range(20))
