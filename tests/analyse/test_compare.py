"""Comparisons of methods, runs and ledgers whose differences are known."""

from __future__ import annotations

import json
from dataclasses import replace

import polars as pl
import pytest
from scipy import stats
from typer.testing import CliRunner

from suite.analyse.compare import compare
from suite.analyse.ledgers import difference
from suite.analyse.matched import match
from suite.analyse.sides import find_side
from suite.api.comparing import compared
from suite.api.planned import planned
from suite.cli import build
from suite.cli.complete import comparable
from suite.errors import UsageError
from suite.places import Places
from suite.results.ledger import Ledger
from suite.spec.base import canonical_json
from suite.tasks import task
from tests.report import synthetic


def side_by_side(folder, first, second, dataset=""):
    return compare(*(find_side(name, Places(str(folder)), dataset) for name in (first, second)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    synthetic.fill(folder / "ledger")
    return folder


def test_a_paired_difference_with_its_interval(folder):
    found = side_by_side(folder, "mask-bce", "ce", "planted-verbs")
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
    runs = Ledger.of(folder).runs().filter(pl.col("method") == "ce")["run"].to_list()
    found = side_by_side(folder, runs[0][:10], runs[1][:10])
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
    differs = {name: (one, two) for name, one, two in side_by_side(tmp_path, "mask-bce", "ce").differs}
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
        side_by_side(folder, first, second, dataset)


def test_the_command_prints_json_and_leaves_a_page(folder):
    arguments = ["compare", "mask-bce", "ce", "--dataset", "planted-verbs", "--out", str(folder), "--json"]
    done = CliRunner().invoke(build(), arguments)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    (one,) = found["comparisons"]
    assert one["names"] == ["mask-bce", "ce"] and len(one["pairs"]) == 3
    page = folder / "reports" / "compare" / "mask-bce-against-ce-planted-verbs.html"
    assert str(page) == found["page"] and "mask-bce against ce" in page.read_text(encoding="utf-8")
    assert "mask-bce against ce" in (folder / "reports" / "index.html").read_text(encoding="utf-8")


BOARD = """
name = "{name}"
title = "A board"
[[tables]]
title = "One"
datasets = ["planted-verbs[train=300]"]
methods = {methods}
seeds = 2
epochs = {epochs}
trials = {trials}
"""


def board(folder, name, methods, epochs=7, trials=({},)):
    """A board in a file; the methods' values go by ``fill_board``."""
    file = folder / f"{name}.toml"
    tables = ", ".join("{" + ", ".join(f"{key} = {value}" for key, value in trial.items()) + "}" for trial in trials)
    file.write_text(BOARD.format(name=name, methods=json.dumps(methods), epochs=epochs, trials=f"[{tables}]"))
    return str(file)


def fill_board(folder, file, value, **row):
    """Finished runs of all that ``file`` asks, named as older code would; ``value`` of method and trial."""
    plan = planned(file, Places(str(folder)), Ledger.of(folder))
    outcomes = []
    for one in plan.asked:
        share = value(one.spec.method, one.trial) + 0.01 * one.spec.seed
        made = synthetic.made(one.spec.method, one.spec.seed, one.dataset, share)
        facts = {"run": f"old{one.run}", "params": canonical_json(one.spec.params), "epochs": one.spec.epochs, **row}
        metric = task("recognition").chosen_by
        chosen = [{**made.metrics[0], "split": "validation", "metric": metric, "value": share}]
        outcomes.append(replace(made, run={**made.run, **facts}, metrics=[*made.metrics, *chosen]))
    Ledger.of(folder).record_all(outcomes)


def test_boards_are_compared_row_by_row(tmp_path):
    """Rows are matched by method, dataset, protocol and parameters; budgets differ; rows in one alone are listed."""
    one = board(tmp_path, "one", ["mask-bce", "assume-negative", "focal"])
    two = board(tmp_path, "two", ["assume-negative", "mask-bce", "ce"], epochs=9)
    fill_board(tmp_path, one, lambda method, _: 0.7 if method == "mask-bce" else 0.5)
    fill_board(tmp_path, two, lambda *_: 0.6)
    (found,) = compared([one, two], Places(str(tmp_path)), draws=0)
    gaps = {row.compared.pairs[0][0]["method"]: row for row in found.rows}
    assert {name: round(row.headline.difference.mean, 6) for name, row in gaps.items()} == {
        "mask-bce": 0.1,
        "assume-negative": -0.1,
    }
    assert [name for name, *_ in gaps["mask-bce"].compared.differs] == ["epochs"] and gaps["mask-bce"].beyond
    assert [[entry.first["method"] for entry in some] for some in found.only] == [["focal"], ["ce"]]
    assert {moved.name for moved in gaps["mask-bce"].compared.classes} == {"open", "close | shut"}


def test_one_board_in_two_folders_shows_what_moved_and_why(tmp_path):
    """Each folder shows the trial that its own validation data chose, by whatever code: a run's name plays no part."""
    file = board(tmp_path, "one", ["mask-bce", "ce"], trials=[{"lr": 0.001}, {"lr": 0.003}])
    before, after = tmp_path / "before", tmp_path / "after"
    fill_board(before, file, lambda method, trial: 0.5 + 0.1 * trial, code="aaaa")
    fill_board(after, file, lambda method, trial: 0.5 + 0.1 * (trial if method == "ce" else 1 - trial), code="bbbb")
    (found,) = compared([f"{file}@{before}", f"{file}@{after}"], Places(str(tmp_path)), draws=0)
    rows = {row.compared.pairs[0][0]["method"]: row for row in found.rows}
    assert len(rows) == 2 and found.only == ((), ()) and not found.moved
    differs = {name: {what: rest for what, *rest in row.compared.differs} for name, row in rows.items()}
    assert differs["ce"] == {"code": ["aaaa", "bbbb"]}
    assert differs["mask-bce"] == {"parameter lr": ["0.003", "0.001"], "code": ["aaaa", "bbbb"]}


def test_ledgers_are_compared_over_common_seeds(folder, tmp_path):
    _, outcomes = synthetic.asked_and_outcomes()
    other = Ledger.of(tmp_path)
    moved = outcomes[0]
    rows = [{**row, "value": row["value"] + 0.25 * (row["metric"] == "top-set")} for row in moved.metrics]
    other.record_all([type(moved)(moved.run, rows, moved.curves, moved.predictions), *outcomes[3:]])
    found = match(*(find_side(str(one), Places(str(folder))) for one in (folder, tmp_path)))
    first = found.moved[0]
    assert (first.label, first.compared.pairs[0][0]["seed"]) == ("Mask BCE", 0) and len(found.moved) == 1
    assert first.headline.difference.mean == pytest.approx(-0.25) and first.headline.difference.count == 1
    assert sum(len(row.compared.pairs) for row in found.rows) == sum(
        one.run["status"] == "finished" for one in [moved, *outcomes[3:]]
    )


def test_a_method_in_two_folders_is_compared_setting_by_setting(folder, tmp_path):
    synthetic.fill(tmp_path / "ledger")
    (found,) = compared([f"mask-bce@{folder}", f"mask-bce@{tmp_path}"], Places(str(folder)))
    assert len(found.rows) == 2 and not found.moved and found.only == ((), ())


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("quick", "mask-bce", "'quick' is a leaderboard and 'mask-bce' a method; compare"),
        ("{folder}", "mask-bce", "is a ledger and 'mask-bce' a method"),
        ("{folder}", "{empty}", "holds no ledger"),
        ("mask-bce@{folder}", "mask-bcf@{folder}", "neither a method nor a finished run"),
    ],
)
def test_unlike_things_are_a_sentence(folder, tmp_path, first, second, said, monkeypatch):
    monkeypatch.setattr("suite.analyse.sides._board", lambda side, *_: side)
    names = [name.format(folder=folder, empty=tmp_path) for name in (first, second)]
    done = CliRunner().invoke(build(), ["compare", *names, "--out", str(folder)])
    assert isinstance(done.exception, UsageError) and said in str(done.exception)


def test_what_can_be_compared_is_offered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quick-before" / "ledger").mkdir(parents=True)
    assert comparable("quick") == ["quick", "quick-before"] and "mask-bce" in comparable("mask")
    assert comparable("mask-bce@q") == ["mask-bce@quick-before"]


def test_the_command_compares_ledgers_and_more_than_two(folder, tmp_path):
    _, outcomes = synthetic.asked_and_outcomes()
    moved = outcomes[0]
    rows = [{**row, "value": row["value"] / 2} for row in moved.metrics]
    Ledger.of(tmp_path).record_all([type(moved)(moved.run, rows, moved.curves, moved.predictions)])
    arguments = ["compare", str(folder), str(tmp_path), "--draws", "0", "--out", str(folder)]
    done = CliRunner().invoke(build(), arguments)
    assert done.exit_code == 0 and "1 row in both, 1 moved" in done.output and "only in" in done.output
    page = next((folder / "reports" / "compare").glob("_*.html")).read_text(encoding="utf-8")
    assert "Rows in both" in page and "−40.0" not in page.split("<main>")[0] and "+40.0" in page
    done = CliRunner().invoke(
        build(), ["compare", "mask-bce", "ce", "focal", "--dataset", "planted-verbs", "--json", "--out", str(folder)]
    )
    assert done.exit_code == 0, done.output
    assert [one["names"] for one in json.loads(done.stdout)["comparisons"]] == [
        ["mask-bce", "ce"],
        ["mask-bce", "focal"],
    ]


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
