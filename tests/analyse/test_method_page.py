"""The page of a method: results by request, history over versions of the code, parameters, claims."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from suite.analyse.method_facts import requests, scored_runs
from suite.analyse.method_page import write_methods
from suite.claims.page import VERDICTS
from suite.cli import build
from suite.registry import method
from suite.report.build import build as build_board
from suite.report.index import refresh
from suite.results.ledger import Ledger
from tests.report import synthetic

BEGUN = datetime(2026, 3, 1, tzinfo=UTC)


def versions(folder, **more):
    """A ledger where three seeds of one request were computed by two versions of the code, and one by a third."""
    ledger = Ledger(folder / "ledger")
    outcomes = []
    for place, (code, values) in enumerate(
        [("aaaa", (0.5, 0.6, 0.7)), ("bbbb", (0.52, 0.62, 0.72)), ("cccc", (None,))]
    ):
        for seed, value in enumerate(values):
            made = synthetic.made("mask-bce", seed, "planted-verbs[snr=3]", value)
            row = {**made.run, "run": f"{code}{seed:012d}", "code": code, "started": BEGUN + timedelta(days=place)}
            params = json.dumps(method("mask-bce").resolve({"lr": 0.01}))
            outcomes.append(replace(made, run={**row, "params": params, **more}))
    ledger.record_all(outcomes)
    return ledger


def test_one_request_over_versions_of_the_code(tmp_path):
    ledger = versions(tmp_path)
    (one,) = requests(scored_runs(ledger, ["mask-bce"]), "mask-bce", method("mask-bce"))
    assert (one.dataset, one.protocol) == ("planted-verbs[snr=3]", "default") and "lr=0.01" in one.setting
    first, second, third = one.versions
    assert first.change is None and first.summary.mean == pytest.approx(0.6)
    change = second.change
    assert (change.mean, change.low, change.high) == pytest.approx((0.02, 0.02, 0.02))
    assert third.failed == 1 and not third.values and third.change is None
    assert one.latest is second


@pytest.mark.parametrize(("dataset", "count"), [("planted-verbs", 1), ("planted-verbs[snr=3]", 1), ("other", 0)])
def test_a_dataset_is_asked_with_or_without_dials(tmp_path, dataset, count):
    scored = scored_runs(versions(tmp_path), ["mask-bce"])
    assert len(requests(scored, "mask-bce", method("mask-bce"), dataset)) == count


def test_the_page_has_results_history_parameters_and_claims(tmp_path):
    reports = tmp_path / "reports"
    (reports / "claims").mkdir(parents=True)
    said = {"mask-bce": {"kind": "reproduced", "why": "+2 <points>", "made": "2026-03-01"}}
    (reports / "claims" / VERDICTS).write_text(json.dumps(said), encoding="utf-8")
    (page,) = write_methods(["mask-bce"], versions(tmp_path, commit="c0ffee-dirty"), reports)
    text = page.read_text(encoding="utf-8")
    assert page == reports / "methods" / "mask-bce.html"
    assert method("mask-bce").paper.split(",")[0] in text
    assert "62.0 ± 10.0" in text and "37.2 to 86.8" in text  # of the newest version with numbers
    assert "+2.0 [+2.0, +2.0]" in text and "c0ffee-dirty" in text and "1 failed" in text
    assert "reproduced" in text and "+2 &lt;points&gt;" in text
    assert all(f"<code>{name}</code>" in text for name in method("mask-bce").hypers if name != "preset")
    index = refresh(reports, Ledger(tmp_path / "ledger")).read_text(encoding="utf-8")
    assert 'href="methods/mask-bce.html"' in index


def test_a_method_without_runs_has_a_page(tmp_path):
    (page,) = write_methods(["npl"], Ledger(tmp_path / "ledger"), tmp_path / "reports")
    text = page.read_text(encoding="utf-8")
    assert "holds no run of it" in text and "suite claims npl" in text and "History" not in text


def test_rows_of_a_board_lead_to_pages_of_methods(tmp_path):
    asked, ledger = synthetic.fill(tmp_path / "ledger")
    write_methods({one.spec.method for one in asked}, ledger, tmp_path / "reports")
    page = build_board(synthetic.BOARD, asked, ledger, tmp_path / "reports" / "synthetic")
    assert '"page":"../methods/mask-bce.html"' in page.read_text(encoding="utf-8")


def test_the_command_prints_versions_and_names_the_page(tmp_path):
    versions(tmp_path)
    words = ["results", "method", "mask-bce", "--dataset", "planted-verbs", "--out", str(tmp_path)]
    done = CliRunner().invoke(build(), words)
    assert done.exit_code == 0, done.output
    assert "62.0" in done.output and "2.0" in done.output and "methods/mask-bce.html" in done.output.replace("\n", "")
    found = json.loads(CliRunner().invoke(build(), [*words, "--json"]).stdout)
    assert [row["seeds"] for row in found["results"]] == [3, 3, 0]
    assert found["results"][1]["change"] == pytest.approx(0.02)
