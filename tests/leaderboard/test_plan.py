"""Plans: what boards ask for, minus what the ledger holds."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest

from suite.declarations import shipped
from suite.errors import DataError, UsageError
from suite.leaderboard.plan import find_board, make_plan
from suite.places import Places
from suite.registry import method
from suite.results.ledger import Ledger
from suite.results.schema import Outcome
from suite.spec.base import canonical_json
from suite.spec.board import Entry, LeaderboardSpec, MetricKey, load_board
from tests.results.ledgers import outcome


def board(**table):
    base = {"title": "T", "datasets": ["planted-verbs"], "methods": ["mask-bce", "ce"]}
    return LeaderboardSpec.model_validate({"name": "b", "title": "B", "tables": [{**base, **table}]})


def planned(spec, tmp_path, **options):
    places = Places(str(tmp_path), options.pop("data", None))
    return make_plan(spec, places, Ledger(places.ledger), **options)


def test_all_expands_to_the_methods_of_the_task_and_listed_ones_stay_as_they_are(tmp_path):
    entry = {"method": "mask-bce", "label": "Mask BCE, few", "params": {"lr": 0.1}}
    asked = planned(board(methods=[entry, "all"], without=["ce"], seeds=[4]), tmp_path).asked
    rows = [one.row for one in asked]
    assert rows[0] == "Mask BCE, few" and len(set(rows)) == len(rows) and method("ce").title not in rows
    assert {method(one.spec.method).task for one in asked} == {"recognition"} and {one.spec.seed for one in asked} == {
        4
    }
    assert asked[0].spec.params["lr"] == 0.1


def test_shared_parameters_go_to_those_that_have_them_and_own_ones_win(tmp_path):
    entries = [{"method": "mask-bce", "params": {"lr": 0.5}}, "ce"]
    table = board(methods=entries, params={"lr": 0.1, "reduction": "paper"}, epochs=3)
    first, second = planned(table, tmp_path).asked
    assert first.spec.params["lr"] == 0.5 and first.spec.params["reduction"] == "paper"
    assert second.spec.params["lr"] == 0.1 and "reduction" not in second.spec.params and second.spec.epochs == 3


def test_trials_are_settings_of_all_rows_each_once(tmp_path):
    entries = ["mask-bce", {"method": "ce", "params": {"lr": 0.5}}, "planted-posterior"]
    table = board(methods=entries, seeds=2, params={"hidden": 8}, trials=[{"lr": 0.1}, {"lr": 0.2}])
    asked = planned(table, tmp_path).asked
    tried = [(one.spec.method, one.trial, one.spec.params.get("lr")) for one in asked if one.spec.seed == 0]
    assert tried == [("mask-bce", 0, 0.1), ("mask-bce", 1, 0.2), ("ce", 0, 0.5), ("planted-posterior", 0, None)]
    assert len(asked) == 8 and all(one.spec.params.get("hidden", 8) == 8 for one in asked)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"trials": [{"lr": 0.1}, {"lrr": 1.0}]}, "no listed method has a parameter 'lrr'"),
        ({"methods": ["mask-bec"]}, "did you mean 'mask-bce'"),
        ({"datasets": ["planted-verb"]}, "did you mean 'planted-verbs'"),
        ({"datasets": ["planted-verbs[snr=-1]"]}, "out of range"),
        ({"params": {"lrr": 1.0}}, "no listed method has a parameter 'lrr'"),
        ({"methods": ["all"], "without": ["nothing"]}, "leaves out 'nothing'"),
        ({"protocol": "other"}, "no protocol 'other'"),
        ({"params": "tuned:sweep"}, "needs a sweep"),
    ],
)
def test_wrong_boards_are_told_in_one_sentence(tmp_path, table, message):
    with pytest.raises(UsageError, match=message) as told:
        planned(board(**table), tmp_path)
    assert "\n" not in str(told.value)


def test_tuned_parameters_come_from_the_hook(tmp_path):
    seen = []

    def tuned(*asked):
        seen.append(asked)
        return {"lr": 0.25}

    asked = planned(board(params="tuned:rates"), tmp_path, tuned=tuned).asked
    assert {one.spec.params["lr"] for one in asked} == {0.25}
    assert seen == [("rates", "mask-bce", "planted-verbs"), ("rates", "ce", "planted-verbs")]


def test_what_the_ledger_holds_is_not_asked_again(tmp_path):
    spec = board(seeds=2)
    first = planned(spec, tmp_path)
    assert len(first.todo) == 4 and first.seconds() is None
    ledger = Ledger(Places(str(tmp_path)).ledger)
    one, other = first.todo[0], first.todo[1]
    ledger.record(Outcome({**outcome().run, "run": one.run, "seconds": 7.0}))
    ledger.record(Outcome({**outcome().run, "run": other.run}).failed("no"))
    again = planned(spec, tmp_path)
    assert {a.run for a in again.todo} == {a.run for a in first.todo[1:]} and again.failed == {other.run}


def test_runs_of_other_code_or_data_are_counted_and_asked_again(tmp_path):
    spec = board(seeds=2)
    first = planned(spec, tmp_path)
    ledger = Ledger(Places(str(tmp_path)).ledger)
    params = canonical_json(first.todo[0].spec.params)
    ledger.record(outcome(run="0123456789abcdef", params=params))  # seed 0, under a name that nobody asks for
    ledger.record(outcome(run="0123456789abcdee", params="{}", seed=1))
    again = planned(spec, tmp_path)
    assert (first.outdated, again.outdated) == (0, 1) and len(again.todo) == 4


def test_the_same_run_in_two_tables_is_done_once(tmp_path):
    tables = [{"title": t, "datasets": ["planted-verbs"], "methods": ["ce"]} for t in "ab"]
    spec = LeaderboardSpec.model_validate({"name": "b", "title": "B", "tables": tables})
    made = planned(spec, tmp_path)
    assert len(made.asked) == 2 and len(made.todo) == 1


def test_missing_data_blocks_its_runs_and_only_them(tmp_path):
    both = board(datasets=["planted-verbs", "yeast"], methods=["ce"])
    made = planned(both, tmp_path, data=str(tmp_path / "nothing"))
    assert [one.dataset for one in made.todo] == ["planted-verbs"]
    assert [one.dataset for one in made.blocked] == ["yeast"] and "yeast" in made.blocked[0].blocked
    with pytest.raises(DataError, match="yeast"):
        planned(board(datasets=["yeast"]), tmp_path, data=str(tmp_path / "nothing"))


def test_boards_are_found_by_name_and_by_file(tmp_path):
    assert find_board("quick").name == "quick"
    with pytest.raises(UsageError, match="did you mean 'quick'"):
        find_board("quik")
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\ntitle = "M"\n[[tables]]\ntitle = "T"\ndatasets = ["d"]\nmethods = ["all"]\nseeds = 3\n'
    )
    assert find_board(str(path)).tables[0].seeds == (0, 1, 2)
    path.write_text('name = "other"\ntitle = "M"\n[[tables]]\ntitle = "T"\ndatasets = ["d"]\nmethods = ["all"]\n')
    with pytest.raises(UsageError, match="rename the file"):
        load_board(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seeds", 0),
        ("seeds", []),
        ("seeds", [2**63]),
        ("seeds", 10**9),
        ("trials", []),
        ("metrics", ["mAP@x"]),
        ("extra", 1),
    ],
)
def test_slips_in_a_table_are_refused(tmp_path, key, value):
    path = tmp_path / "b.toml"
    written = json.dumps(value)
    path.write_text(f'name="b"\ntitle="B"\n[[tables]]\ntitle="T"\ndatasets=["d"]\nmethods=["all"]\n{key}={written}\n')
    with pytest.raises(UsageError, match=r"b\.toml") as told:
        load_board(path)
    assert "\n" not in str(told.value)


def test_metric_keys_read_and_print():
    assert MetricKey.parse("mAP@0.5") == MetricKey("mAP", 0.5) and str(MetricKey("mAP", 0.5)) == "mAP@0.5"
    assert str(MetricKey.parse("IoU calibrated")) == "IoU calibrated"


BOARDS = sorted((shipped("reports") / "leaderboards").glob("*.toml"))


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_shipped_boards_fit_the_methods_and_datasets_that_they_name(path, tmp_path):
    """Every method, preset, parameter and dial is known: missing data are the only reason to refuse a plan."""
    with suppress(DataError):
        assert planned(find_board(path.stem), tmp_path, data=str(tmp_path / "nowhere")).asked


# Boards of papers stand aside: their rates are those that the authors printed for each method.
COMPARING = [path for path in BOARDS if not path.stem.startswith("paper-")]


@pytest.mark.parametrize("path", COMPARING, ids=lambda path: path.stem)
def test_no_shipped_board_sets_a_rate_for_all_methods_or_has_few_seeds(path):
    """A rate that suits one method may starve another; where a method can collapse, few seeds may all be well."""
    found = load_board(path)
    for table in found.tables:
        rates = {name for name in table.params if name in ("lr", "semi_lr")}
        assert not rates, f"{table.title}: let every method try several, with trials"
        tried = [{name for name in trial if name in ("lr", "semi_lr")} for trial in table.trials]
        assert "preset" in table.params or (len(tried) >= 2 and all(tried)), table.title
        least = 10 if any(map(can_collapse, table.methods)) else 3 if found.name == "quick" else 5
        assert len(table.seeds) >= least, f"{table.title}: {len(table.seeds)} seeds"


def can_collapse(entry: Entry) -> bool:
    """Whether a row trains actionness and classifier together from random weights."""
    if entry.method != "action-selection":
        return False
    values = method(entry.method).resolve(entry.params)
    return values["schedule"] == "joint" and not values["warm_epochs"]
