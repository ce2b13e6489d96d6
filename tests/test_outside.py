"""Files of predictions made elsewhere: scored as suite evaluate does, recorded, and rows of boards with a badge."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from suite.cli import build
from suite.data import load
from suite.errors import DataError, UsageError
from suite.outside import add_file
from suite.places import Places
from suite.report import findings, tables
from suite.report.build import build as build_board
from suite.report.build import gather
from suite.report.given import UNLIKE, files
from suite.report.index import refresh
from suite.report.spread import marks
from suite.rescore import score_again
from suite.results import given
from suite.results.ledger import Ledger
from suite.results.schema import Outcome
from suite.scoring import Against, score_file
from suite.tasks import task
from tests.report import synthetic

DATASET = "planted-verbs[train=100,validation=40,test=50]"


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return Places(str(tmp_path_factory.mktemp("outside")))


@pytest.fixture(scope="module")
def predictions(places):
    """A file in the ledger's form: random scores for every test clip."""
    data = load(DATASET, "recognition", places.root, places.cache)
    scores = np.random.default_rng(0).normal(size=(len(data.test), len(data.classes))).astype(np.float32)
    table = task("recognition").to_rows(task("recognition").guess(data.test, len(data.classes)), data.test)
    path = places.local / "theirs.parquet"
    pl.DataFrame({"item": list(table["item"]), "score": list(table["score"]), "scores": scores.tolist()}).write_parquet(
        path
    )
    return path


def foreign(value: float, seed: int = 0, dataset: str = "planted-verbs", label: str = "Theirs <b>", **row) -> Outcome:
    """What adding a file records, with a number of choice."""
    base = synthetic.made("mask-bce", seed, dataset, value)
    run = {**base.run, "run": f"{label}{seed}{dataset}".encode().hex()[:16] + str(seed), "method": f"file:{label}"}
    run |= {"title": label, "group": given.GROUP, "params": json.dumps({"file": "their.json"}), **row}
    rows = [{**one, "selection": given.SELECTION} for one in base.metrics if one["selection"] == "validation"]
    return Outcome(run, rows)


def view_with(tmp_path, *outcomes):
    asked, ledger = synthetic.fill(tmp_path / "ledger")
    ledger.record_all(outcomes)
    return gather(synthetic.BOARD, asked, ledger).sections[0]


def test_the_numbers_are_those_of_suite_evaluate(predictions, places, tmp_path):
    ledger = Ledger(tmp_path / "ledger")
    against = Against(dataset=DATASET, resamples=0)
    run, *_ = add_file(predictions, against, "Theirs", 0, ledger, places)
    (row,) = ledger.runs().iter_rows(named=True)
    assert (row["run"], row["dataset"], row["protocol"], row["task"]) == (run, DATASET, "default", "recognition")
    found = ledger.metrics([run]).filter(pl.col("label") == "")
    assert set(found["selection"]) == {given.SELECTION} and set(found["split"]) == {"test"}
    expected = {(m["metric"], m["threshold"]): m["value"] for m in score_file(predictions, against, places)[1].metrics}
    recorded = {(m, t): v for m, t, v in found.select("metric", "threshold", "value").iter_rows()}
    assert recorded == pytest.approx(expected, nan_ok=True) and expected
    assert row["fingerprint"] == load(DATASET, "recognition", places.root, places.cache).fingerprint
    again = add_file(predictions, against, "Theirs", 0, ledger, places)[0]
    assert again == run and len(ledger.runs()) == 1
    assert add_file(predictions, against, "Theirs", 1, ledger, places)[0] != run


@pytest.mark.parametrize(
    ("against", "label"),
    [({"dataset": DATASET}, " "), ({}, "x"), ({"dataset": DATASET, "protocol": "nobody-has-it"}, "x")],
)
def test_what_has_no_row_is_refused(predictions, places, tmp_path, against, label):
    with pytest.raises(UsageError):
        add_file(predictions, Against(**against), label, 0, Ledger(tmp_path / "ledger"), places)
    assert Ledger(tmp_path / "ledger").runs().is_empty()


def test_a_file_is_a_row_with_a_badge(tmp_path):
    view = view_with(tmp_path, foreign(0.77)).view
    row = next(row for row in view.rows if row.files)
    assert row.label == "Theirs <b> (file)" and row.badges == (given.GROUP,) and row.leak is None and row.competes
    assert row.cells[0].values == (0.77,) and row.cells[1].values == (0.385,)
    assert row.state == "1 file" and row.cells[2].why == "not measured of this file"
    drawn = tables.to_html(view)
    assert f'Theirs &lt;b&gt; (file) <span class="badge other">{given.GROUP}</span>' in drawn
    assert any(note.startswith("(file): predictions made elsewhere") for note in tables.notes(view))


@pytest.mark.parametrize("row", [{"dataset": "planted-verbs[snr=3]"}, {"protocol": "other"}])
def test_files_of_another_dataset_dial_or_protocol_stand_nowhere(tmp_path, row):
    outcome = foreign(0.9)
    view = view_with(tmp_path, replace(outcome, run={**outcome.run, **row})).view
    assert not any(one.files for one in view.rows)


def test_other_data_do_not_compete(tmp_path):
    view = view_with(tmp_path, foreign(0.99, fingerprint="beef")).view
    row = next(row for row in view.rows if row.files)
    assert row.unlike == UNLIKE and not row.competes and not row.cells[0].best
    assert view.rows[-1] is row and tables.OTHERS in tables.to_html(view)
    assert findings.sentence(view).startswith("Mask BCE has the highest")


def test_a_file_that_leads_claims_no_seeds(tmp_path):
    view = view_with(tmp_path, foreign(0.97)).view
    row = next(row for row in view.rows if row.files)
    assert row.cells[0].best and not view.open
    said = findings.sentence(view)
    assert said.startswith("Theirs <b> (file) has the highest top-set, 97.0 %: the others' spread over seeds disting")


def test_files_leave_the_marks_of_methods_alone():
    rng = np.random.default_rng(1)
    values = [tuple(row) for row in rng.normal(0.5, 0.05, (4, 5)) + rng.normal(0, 0.2, 5)]
    alone = marks(values, 5, [False] * 4)
    beside = marks([*values, (0.1,)], 5, [False] * 4 + [True])
    assert [best for best, _ in alone] == [best for best, _ in beside[:4]]
    assert sum(near for _, near in beside[:4]) >= sum(near for _, near in alone)  # five rows share the error, not four


def test_pages_show_files(tmp_path):
    asked, ledger = synthetic.fill(tmp_path / "ledger")
    outcome = foreign(0.77)
    ledger.record(outcome)
    page = build_board(synthetic.BOARD, asked, ledger, tmp_path / "reports" / "synthetic")
    run = (tmp_path / "reports" / "runs" / f"{outcome.id}.html").read_text(encoding="utf-8")
    assert "suite results add their.json" in run and "not known" in run and "77.0" in run and "Oracle" not in run
    rows = json.loads(re.findall(r'class="rows">(.*?)</script>', page.read_text(encoding="utf-8"))[0])["rows"]
    mine = next(row for row in rows if row["given"] == "as given")
    assert mine["values"]["validation"][0] == [0.77] and mine["values"]["oracle"][0] == []
    assert mine["runs"][0]["page"] == f"../runs/{outcome.id}.html"
    assert ",77.0," in refresh(tmp_path / "reports", ledger).read_text(encoding="utf-8")


def test_a_file_cannot_be_scored_again(tmp_path, places):
    ledger = Ledger(tmp_path / "ledger")
    ledger.record(foreign(0.77))
    with pytest.raises(DataError, match="add it again"):
        score_again(ledger, ledger.runs().row(0, named=True), places)


def test_no_files_are_no_rows(tmp_path):
    assert files(Ledger(tmp_path / "ledger")).is_empty()


def test_the_command_says_what_it_recorded(predictions, places):
    words = ["results", "add", str(predictions), "--dataset", DATASET, "--label", "Theirs", "--out", str(places.local)]
    done = CliRunner().invoke(build(), [*words, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["metrics"] and pq.read_table(predictions).num_rows == found["counts"]["predictions"]
    listed = CliRunner().invoke(build(), ["results", "show", found["run"], "--out", str(places.local)])
    assert listed.exit_code == 0 and "file:Theirs" in listed.output
    wrong = CliRunner().invoke(build(), [*words[:3], "--label", "x", "--out", str(places.local)])
    assert isinstance(wrong.exception, UsageError)
