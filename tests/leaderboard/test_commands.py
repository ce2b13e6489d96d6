"""The commands around leaderboards, on a method that needs no training."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from suite.cli import build
from suite.cli.leaderboard import builds_again
from suite.errors import SuiteError, UsageError
from suite.leaderboard.plan import Plan
from suite.spec.board import LeaderboardSpec

BOARD = """
name = "tiny"
title = "Tiny"
[[tables]]
title = "Ceilings"
datasets = ["planted-verbs[train=60,validation=30,test=40]"]
methods = ["planted-posterior"]
seeds = 2
"""


@pytest.fixture
def suite(tmp_path, monkeypatch):
    """Runs a command with outputs below ``tmp_path``; returns its standard output."""
    (tmp_path / "tiny.toml").write_text(BOARD)
    monkeypatch.setenv("SUITE_OUTPUTS", str(tmp_path / "out"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments, expect=0):
        result = CliRunner().invoke(build(), arguments)
        if isinstance(result.exception, SuiteError | KeyboardInterrupt):
            raise result.exception
        assert result.exit_code == expect, result.output
        return result.stdout

    return run


def test_plan_leaderboard_plan_report(suite, tmp_path):
    before = json.loads(suite("plan", "tiny.toml", "--json"))
    assert json.loads(suite("plan", "leaderboard", "tiny.toml", "--json")) == before
    assert (before["asked"], before["todo"], before["seconds"]) == (2, 2, None)
    done = json.loads(suite("leaderboard", "tiny.toml", "--jobs", "1", "--json"))
    assert done["finished"] == 2 and done["failed"] == 0 and done["page"].endswith("reports/tiny/index.html")
    after = json.loads(suite("plan", "tiny.toml", "--json"))
    assert (after["finished"], after["todo"]) == (2, 0) and {run["status"] for run in after["runs"]} == {"finished"}
    again = json.loads(suite("leaderboard", "tiny.toml", "--json"))
    assert again["finished"] == 0 and again["already"] == 2
    page = tmp_path / "out" / "reports" / "tiny" / "index.html"
    page.unlink()
    assert "2 runs shown" in suite("report", "tiny.toml") and "Planted posterior" in page.read_text()


def test_text_for_people(suite):
    assert "the ledger has no timing" in suite("plan", "tiny.toml")
    out = suite("leaderboard", "tiny.toml", "--jobs", "1")
    assert "2 runs done now, 0 were in the ledger." in out and "index.html" in out
    assert "nothing to run" in suite("plan", "tiny.toml")
    assert "0 runs shown, 2 not run yet" in suite("report", "tiny.toml", "--out", "elsewhere")


def test_unknown_leaderboards_and_unwritable_outputs(suite, tmp_path):
    with pytest.raises(UsageError, match="no leaderboard 'tinny'"):
        suite("leaderboard", "tinny")
    with pytest.raises(UsageError, match=r"cannot read .*none\.toml"):
        suite("plan", "none.toml")
    (tmp_path / "file").write_text("")
    with pytest.raises(SuiteError, match="--out"):
        suite("leaderboard", "tiny.toml", "--jobs", "1", "--out", "file/below")


def test_results_commands(suite, tmp_path):
    suite("leaderboard", "tiny.toml", "--jobs", "1")
    rows = json.loads(suite("results", "list", "--json"))
    assert [row["seed"] for row in rows] == [0, 1] and {row["status"] for row in rows} == {"finished"}
    assert set(rows[0]) >= {"run", "method", "dataset", "params", "seed", "status"} and isinstance(
        rows[0]["params"], dict
    )
    assert rows[0]["dataset"] == "planted-verbs[train=60,validation=30,test=40]" and rows[0]["group"] == "tiny"
    assert json.loads(suite("results", "list", "--method", "ce", "--json")) == []
    assert len(json.loads(suite("results", "list", "--dataset", "planted-verbs", "--json"))) == 2
    shown = json.loads(suite("results", "show", rows[0]["run"][:10], "--json"))
    assert shown["run"] == rows[0]["run"] and shown["metrics"]
    assert "planted-posterior" in suite("results", "show", rows[1]["run"])
    files = json.loads(suite("results", "export", "plain", "--predictions", "--json"))
    assert {row["file"].rpartition("/")[2] for row in files} == {
        f"{n}.csv" for n in ("runs", "metrics", "curves", "predictions")
    }
    assert (tmp_path / "plain" / "metrics.csv").read_text().count("top-set") >= 2
    suite("results", "export", "plain", "--format", "parquet")
    assert json.loads(suite("results", "compact", "--json"))["files"] <= 4
    assert json.loads(suite("results", "delete", rows[0]["run"], "--json"))["deleted"] == [rows[0]["run"]]
    assert len(json.loads(suite("results", "list", "--json"))) == 1
    assert "0 runs forgotten" in suite("results", "delete", "--failed", "--yes")


def test_wrong_requests_to_results(suite, tmp_path):
    (tmp_path / "out").mkdir()
    for arguments, message in (
        (("delete",), "say which runs"),
        (("show", "abc"), "not the id of a run"),
        (("export", "x", "--format", "xml"), "use csv or parquet"),
    ):
        with pytest.raises(UsageError, match=message):
            suite("results", *arguments)


RATES = """
name = "rates"
title = "Rates"
[[tables]]
title = "Three rates"
datasets = ["planted-verbs[train=60,validation=30,test=40,verbs=8]"]
methods = [
  { method = "an", label = "slow", params = { lr = 0.0005 } },
  { method = "an", label = "middle", params = { lr = 0.001 } },
  { method = "an", label = "fast", params = { lr = 0.002 } },
  "planted-posterior",
]
seeds = 1
epochs = 2
params = { hidden = 16 }  # so few weights that stacking pays on a CPU
"""


def test_a_board_packs_what_differs_in_its_rate_alone(suite, tmp_path):
    """Packed runs fill the same cells under the same names, and each row says how it was carried out."""
    (tmp_path / "rates.toml").write_text(RATES)
    done = json.loads(suite("leaderboard", "rates.toml", "--jobs", "1", "--packed", "2", "--json"))
    assert (done["finished"], done["failed"]) == (4, 0)
    rows = json.loads(suite("results", "list", "--json"))
    carried = {(row["method"], row["params"].get("lr")): row["carried"] for row in rows}
    assert sorted(carried[("assume-negative", lr)] for lr in (0.0005, 0.001, 0.002)) == ["packed", "packed", "solo"]
    assert carried[("planted-posterior", None)] == "solo"
    alone = json.loads(suite("leaderboard", "rates.toml", "--jobs", "1", "--json", "--out", "alone"))
    assert alone["finished"] == 4
    solo = {row["run"]: row["carried"] for row in json.loads(suite("results", "list", "--json", "--out", "alone"))}
    assert set(solo) == {row["run"] for row in rows} and set(solo.values()) == {"solo"}
    together, apart = (json.loads(suite("plan", "rates.toml", "--json", "--out", out)) for out in ("out", "alone"))
    assert together["todo"] == apart["todo"] == 0


def test_what_builds_the_page_again_names_the_file_of_a_board() -> None:
    table = {"title": "T", "datasets": ["planted-verbs"], "methods": ["ce"]}
    board = LeaderboardSpec.model_validate({"name": "tiny", "title": "Tiny", "tables": [table]})
    plan = Plan(board, (), ())
    assert builds_again(plan, "my boards/tiny.toml") == "suite report 'my boards/tiny.toml'"
    assert builds_again(plan, "tiny") == "suite report tiny"
