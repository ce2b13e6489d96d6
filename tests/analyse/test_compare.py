"""Comparisons of methods, runs and ledgers whose differences are known."""

from __future__ import annotations

import json

import polars as pl
import pytest
from scipy import stats
from typer.testing import CliRunner

from suite.analyse.compare import compare
from suite.analyse.ledgers import difference
from suite.cli import build
from suite.errors import UsageError
from suite.places import Places
from suite.results.ledger import Ledger
from tests.report import synthetic


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    synthetic.fill(folder / "ledger")
    return folder


def test_a_paired_difference_with_its_interval(folder):
    found = compare(Ledger.of(folder), Places(str(folder)), "mask-bce", "ce", "planted-verbs")
    assert len(found.pairs) == 3
    top = next(row for row in found.metrics if row.name == "top-set")
    gaps = [a - b for a, b in zip(synthetic.ONE["mask-bce"], synthetic.ONE["ce"])]
    assert top.difference.mean == pytest.approx(sum(gaps) / 3)
    low, high = stats.t.interval(0.95, 2, sum(gaps) / 3, stats.sem(gaps))
    assert (top.difference.low, top.difference.high) == pytest.approx((low, high))
    assert {row.name for row in found.classes} == {"open", "close | shut"}
    assert any(name == "method" for name, *_ in found.differs)
    assert "no predictions on record" in found.missing[0] or found.missing[0].startswith("no bootstrap")


def test_two_single_runs_are_a_pair_whatever_their_seeds(folder):
    ledger = Ledger.of(folder)
    runs = ledger.runs().filter(pl.col("method") == "ce")["run"].to_list()
    found = compare(ledger, Places(str(folder)), runs[0][:10], runs[1][:10])
    assert len(found.pairs) == 1 and "seed" in {name for name, *_ in found.differs}


def test_what_differs_is_named_part_by_part(tmp_path):
    ours, theirs = (synthetic.made(name, 0, "planted-verbs", 0.5) for name in ("mask-bce", "ce"))
    machine = [json.dumps({"processor": name, "cores": 2}) for name in ("one", "two")]
    more = {"versions": json.dumps({"numpy": "2.0"}), "code": "aaaa", "params": json.dumps({"lr": 0.1})}
    ledger = Ledger.of(tmp_path)
    ledger.record_all(
        [
            type(ours)({**ours.run, "hardware": machine[0]}, ours.metrics),
            type(theirs)({**theirs.run, "hardware": machine[1], **more}, theirs.metrics),
        ]
    )
    differs = {name: (one, two) for name, one, two in compare(ledger, Places(str(tmp_path)), "mask-bce", "ce").differs}
    assert differs["machine: processor"] == ("one", "two") and "machine: cores" not in differs
    assert differs["library: numpy"] == ("", "2.0") and differs["code"] == ("", "aaaa")
    assert differs["parameter lr"] == ("0.001", "0.1") and differs["method"] == ("mask-bce", "ce")


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("mask-bce", "mask-bcf", "is neither a method nor a finished run"),
        ("mask-bce", "role", "no run of role has finished"),
        ("mask-bce", "ce", "on yeast"),
    ],
)
def test_what_cannot_be_compared_is_said(folder, first, second, said):
    dataset = "yeast" if said == "on yeast" else ""
    with pytest.raises(UsageError, match=said):
        compare(Ledger.of(folder), Places(str(folder)), first, second, dataset)


def test_the_command_prints_json_and_leaves_a_page(folder):
    arguments = ["compare", "mask-bce", "ce", "--dataset", "planted-verbs", "--out", str(folder), "--json"]
    done = CliRunner().invoke(build(), arguments)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["names"] == ["mask-bce", "ce"] and len(found["pairs"]) == 3
    page = folder / "reports" / "compare" / "mask-bce-against-ce-planted-verbs.html"
    assert str(page) == found["page"] and "mask-bce against ce" in page.read_text(encoding="utf-8")
    assert "mask-bce against ce" in (folder / "reports" / "index.html").read_text(encoding="utf-8")


def test_two_ledgers_are_compared_request_by_request(folder, tmp_path):
    _, outcomes = synthetic.asked_and_outcomes()
    other = Ledger.of(tmp_path)
    moved = outcomes[0]
    rows = [{**row, "value": row["value"] + 0.25 * (row["metric"] == "top-set")} for row in moved.metrics]
    other.record_all([type(moved)(moved.run, rows, moved.curves, moved.predictions), *outcomes[2:]])
    found = difference(Ledger.of(folder), other)
    assert found.changed["run"].to_list() == [moved.id] and found.changed["difference"][0] == pytest.approx(0.25)
    assert found.only_old["run"].to_list() == [outcomes[1].id] and found.only_new.is_empty()
    assert difference(Ledger.of(folder), other, tolerance=0.3).changed.is_empty()
    done = CliRunner().invoke(build(), ["diff", str(folder), str(tmp_path)])
    assert done.exit_code == 1 and "1 with others" in done.output
    assert CliRunner().invoke(build(), ["diff", str(folder), str(folder)]).exit_code == 0
