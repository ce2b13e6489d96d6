"""Runs taken over from another ledger: once each, marked, and refused where predictions do not give the numbers."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from typer.testing import CliRunner

from suite.cli import build
from suite.merge import merge
from suite.models.model import load_model
from suite.places import Places
from suite.report import tables
from suite.report.build import gather
from suite.results.ledger import Ledger
from tests.report import synthetic


def run(*words: str) -> dict:
    done = CliRunner().invoke(build(), [*words, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    run(
        "train",
        "assume-negative",
        "planted-verbs[train=200,validation=60,test=60]",
        "--epochs",
        "1",
        "--out",
        str(folder),
    )
    return folder


def test_runs_are_taken_once_and_marked(tmp_path):
    asked, source = synthetic.fill(tmp_path / "there" / "ledger")
    target = Ledger(tmp_path / "here" / "ledger")
    found = merge(target, source, "the authors")
    assert len(found.taken) == 14 and not found.refused
    assert merge(target, source, "the authors").known == found.taken
    assert set(target.runs()["group"]) == {"from the authors"}
    one = found.taken[0]
    for read in ("metrics", "curves"):  # in the same order
        here, there = (getattr(ledger, read)([one]).drop("attempt") for ledger in (target, source))
        assert here.equals(there)
    section = gather(synthetic.BOARD, asked, target).sections[0]
    rows = section.rows
    assert {run.origin for row in rows for run in row.runs if run.status == "finished"} == {"from the authors"}
    drawn = tables.to_html(section.view)
    assert re.search(r'Mask BCE <span class="badge other">from the authors</span></th>', drawn)
    assert drawn.count("badge other") == len(rows)
    assert "Mask BCE (from the authors)" in tables.markdown(section.view)


def test_rows_of_mixed_origin_say_how_many(tmp_path):
    asked, source = synthetic.fill(tmp_path / "there" / "ledger")
    _, outcomes = synthetic.asked_and_outcomes()
    target = Ledger(tmp_path / "here" / "ledger")
    target.record(outcomes[0])
    merge(target, source, "<them>")
    view = gather(synthetic.BOARD, asked, target).sections[0].view
    assert view.rows[0].badges == ("from <them>: 2 of 3",)
    assert "from &lt;them&gt;: 2 of 3" in tables.to_html(view)


def test_predictions_are_scored_again_before_they_are_believed(published, tmp_path):
    found = run("results", "merge", str(published), "--verify", "--origin", "us", "--out", str(tmp_path))
    assert len(found["taken"]) == 1
    target = Ledger.of(tmp_path)
    assert target.runs()["group"].to_list() == ["from us, verified"]
    assert len(target.predictions(found["taken"][0])) == 60
    assert found["weights"] == found["taken"] and not found["weights_refused"]
    assert load_model(found["taken"][0], Places(str(tmp_path))).config["run"] == found["taken"][0]


def test_damaged_weights_are_not_taken(published, tmp_path):
    source = shutil.copytree(published, tmp_path / "source")
    (file,) = source.glob("models/*/model.safetensors")
    content = bytearray(file.read_bytes())
    content[-1] ^= 4
    file.write_bytes(content)
    found = run("results", "merge", str(source), "--out", str(tmp_path / "here"))
    assert found["taken"] and not found["weights"]
    assert "its checksum is another" in found["weights_refused"][found["taken"][0]]


def test_numbers_that_predictions_do_not_give_are_refused(published, tmp_path):
    source = Ledger.of(published)
    (row,) = source.runs().iter_rows(named=True)
    forged = tmp_path / "forged"
    names = ("attempt", "schema")
    metrics, curves, predictions = (
        read([row["run"]]).drop("run", "attempt") for read in (source.metrics, source.curves, source.all_predictions)
    )
    better = metrics.with_columns(value=metrics["value"] + 0.1 * (metrics["metric"] == "top-set"))
    from suite.results.schema import Outcome

    kept = {name: value for name, value in row.items() if name not in names}
    Ledger.of(forged).record(Outcome(kept, better.to_arrow(), curves.to_arrow(), predictions.to_arrow()))
    found = merge(Ledger.of(tmp_path / "here"), Ledger.of(forged), "x", Places(str(tmp_path / "here")))
    assert not found.taken and "top-set" in found.refused[row["run"]]
    done = CliRunner().invoke(build(), ["results", "merge", str(forged), "--verify", "--out", str(tmp_path / "other")])
    assert done.exit_code == 1 and "1 refused" in done.output
