"""Boards of papers: every printed row that can run is asked for under the settings in print, and nothing else."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from suite.cli import build
from suite.declarations import shipped
from suite.errors import UsageError
from suite.leaderboard.cost import Costs
from suite.leaderboard.missing import lacks
from suite.leaderboard.plan import find_board, make_plan
from suite.leaderboard.printed import only
from suite.leaderboard.shortened import shortened
from suite.leaderboard.timed import Timed, key_for, name_of
from suite.places import Places
from suite.rehearsal import draft, rehearse, request
from suite.report.matching import key_of, wanted
from suite.report.published import load_published
from suite.results.ledger import Ledger
from suite.spec.board import LeaderboardSpec, Shortened
from suite.spec.run import RunSpec
from tests.report.test_paper import Empty

PAPERS = {
    "paper:asl": "action_selection",
    "paper:npl": "noisy_pseudo_labels",
    "paper:multi-label-detection": "multi_label_detection",
    "paper:single-positive": "single_positive",
}
ELSEWHERE = ("Awesome-WTAL", "Repositories")  # numbers of others, which belong to no table of the paper


@pytest.fixture(scope="module", params=PAPERS)
def planned(request, tmp_path_factory):
    places = Places(str(tmp_path_factory.mktemp("out")), str(tmp_path_factory.mktemp("nothing")))
    return request.param, make_plan(find_board(request.param), places, Ledger(places.ledger))


def test_a_board_asks_for_every_printed_row_and_nothing_else(planned):
    name, plan = planned
    cells = load_published([one.table for one in plan.board.printed])
    expected = {key_of(one) for cell in cells for one in wanted(cell)}
    assert {key_of(one.spec) for one in plan.asked} == expected
    assert plan.board.call == name and all(one.spec.epochs is None for one in plan.asked)


def test_without_data_everything_is_blocked_with_a_reason(planned):
    _, plan = planned
    assert all(one.blocked.endswith(".") for one in plan.asked)
    assert len(plan.blocked) == len({one.spec.canonical_json() for one in plan.asked}) > 0


def test_every_table_of_print_is_on_the_board(planned):
    name, plan = planned
    tables = {cell.table for cell in load_published([PAPERS[name]]) if not cell.table.startswith(ELSEWHERE)}
    shown = [one.short for one in plan.board.printed]
    assert len(set(shown)) == len(shown) and tables == {table for table in shown if not table.startswith(ELSEWHERE)}


def test_rows_of_one_table_have_different_names(planned):
    _, plan = planned
    for table in plan.board.tables:
        labels = [entry.label for entry in table.methods]
        assert len(set(labels)) == len(labels), table.title


def test_one_table_alone():
    board = only(find_board("paper:npl"), "Table 5")
    assert board.name == "paper-npl-table-5" and [one.short for one in board.printed] == ["Table 5"]
    assert {table.datasets for table in board.tables} == {("thumos-14-dense[validation=test,labelled=0.4]",)}
    assert [entry.label for entry in board.tables[0].methods] == ["N_pos = 5", "N_pos = 15", "N_pos = 30"]
    with pytest.raises(UsageError, match="paper:npl has no table 'Table 55'; did you mean 'Table 5"):
        only(find_board("paper:npl"), "Table 55")
    plain = only(find_board("quick"), find_board("quick").tables[0].title)
    assert len(plain.tables) == 1 and plain.name.startswith("quick-")


def test_a_board_needs_a_table_of_one_kind():
    with pytest.raises(ValueError, match="has no table"):
        LeaderboardSpec.model_validate({"name": "b", "title": "B"})
    made = LeaderboardSpec.model_validate(
        {"name": "b", "title": "B", "printed": [{"table": "p/Table 1", "title": "T", "seeds": 2}]}
    )
    assert made.printed[0].seeds == (0, 1) and made.call == "b"


def test_names_with_a_colon_are_files_with_a_dash():
    assert find_board("paper:asl").name == find_board("paper-asl").name == "paper-asl"
    assert (shipped("reports") / "leaderboards" / "paper-asl.toml").is_file()
    with pytest.raises(UsageError, match="there is no leaderboard 'paper:als'; did you mean 'paper-asl'"):
        find_board("paper:als")


def test_a_plan_says_which_files_to_put_where(planned, tmp_path):
    _, plan = planned
    found = lacks(plan.asked, tmp_path)
    assert sum(lack.runs for lack in found) == len({one.spec.canonical_json() for one in plan.blocked})
    assert {lack.dataset for lack in found} == {one.spec.dataset for one in plan.blocked}
    for lack in found:
        assert lack.obtain and any(not file.optional for file in lack.files), lack.dataset
        assert all(file.path.is_relative_to(tmp_path) for file in lack.files)


def test_missing_weights_are_named_with_their_address(tmp_path):
    places = Places(str(tmp_path), str(tmp_path / "data"))
    plan = make_plan(only(find_board("paper:multi-label-detection"), "Table 9"), places, Ledger(places.ledger))
    assert all("slowfast-r50-k400" in one.blocked for one in plan.blocked)
    (lack,) = lacks(plan.asked, places.root)
    weights = next(file for file in lack.files if file.path.name == "SLOWFAST_8x8_R50.pkl")
    assert weights.source.startswith("https://") and "no checksum" in weights.about and not weights.optional
    optional = {file.path.name: file.optional for file in lack.files if "predicted" in file.path.name}
    assert optional == {
        "ava_val_predicted_boxes.csv": False,
        "ava_unlabelled_predicted_boxes.csv": False,
        "ava_train_predicted_boxes.csv": True,
    }
    assert {one.spec.params["weights"] for one in plan.asked} == {"slowfast-r50-k400"}


def test_files_that_only_some_settings_need_block_their_runs(tmp_path):
    """All required files are there; the class scores that networks without names need are not."""
    asked = request("thumos-14-tsn", tmp_path / "none", tmp_path / "data", videos=8, channels=8)
    rehearse(asked, draft(asked))
    (asked.folder / "uNet_test.npy").unlink()
    places = Places(str(tmp_path), str(tmp_path / "data"))
    plan = make_plan(only(find_board("paper:npl"), "Table 1"), places, Ledger(places.ledger))
    mine = [one for one in plan.asked if one.spec.dataset == "thumos-14-tsn"]
    blocked = {one.spec.method: "needed with class_agnostic=true" in one.blocked for one in mine}
    assert blocked == {"mean-teacher": True, "sstap": True, "spot": False, "npl-bmn": True}
    (lack,) = (one for one in lacks(plan.asked, places.root) if one.dataset == "thumos-14-tsn")
    assert [(file.path.name, file.optional) for file in lack.files] == [("uNet_test.npy", False)]


def test_what_a_plan_says_for_people_and_for_scripts(tmp_path, monkeypatch):
    monkeypatch.setenv("SUITE_OUTPUTS", str(tmp_path / "out"))
    (tmp_path / "data").mkdir()
    asked = ("plan", "paper:npl", "--table", "Table 5", "--data", str(tmp_path / "data"))
    said = CliRunner().invoke(build(), asked).stdout
    for text in (
        "9 blocked by missing data; all 9 that are left",
        "unknown until timed (suite plan paper:npl --table 'Table 5' --time)",
        "missing for 9 runs on thumos-14-dense",
        "features/*.npy",
        "SHA-256 841b6e0b",
        "suite data rehearse thumos-14-dense --to rehearsal",
    ):
        assert text in said, text
    rows = json.loads(CliRunner().invoke(build(), (*asked, "--json")).stdout)
    assert (rows["blocked"], rows["todo"], rows["seconds"]) == (9, 0, 0)
    (summary,) = rows["tables"]
    assert (summary["table"], summary["runs"], summary["blocked"], summary["memory"]) == ("Table 5", 9, 9, None)
    assert rows["missing"][0]["runs"] == 9 and rows["missing"][0]["files"][0]["path"].endswith("thumos14_412.json")
    spec = (
        make_plan(only(find_board("paper:npl"), "Table 5"), Places(str(tmp_path), str(tmp_path)), Empty()).asked[0].spec
    )
    costs = Costs.of(tmp_path / "out")
    costs.runs[name_of(spec)] = 7200.0
    costs.known[key_for(spec)] = Timed({}, {}, 0.0, peak=3 * 2.0**30, kept=2.0**20)
    costs._save()
    said = CliRunner().invoke(build(), asked).stdout
    assert "at most 3.4 GiB (N_pos = 5 on" in said and "mapped from disk, up to 4.8 GiB (thumos-14-dense[" in said
    assert "about 6.0 h, and 6 runs whose cost is unknown" in said and "unknown" in said


def test_a_whole_paper_is_planned_table_by_table(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("SUITE_OUTPUTS", str(tmp_path / "out"))
    (tmp_path / "data").mkdir()
    said = CliRunner().invoke(build(), ("plan", "paper:single-positive", "--data", str(tmp_path / "data"))).stdout
    for text in ("notebook 2022-07-13", "in print only", "the rows of one: suite plan paper:single-positive --table",
                 "nothing can run without the files named below"):  # fmt: skip
        assert text in said, text


def test_a_shortened_board_asks_for_other_runs_in_the_place_of_the_whole_ones(tmp_path):
    short = Shortened(epochs=2, seeds=1, params={"q": "0.3", "batch": "2"})
    board = shortened(only(find_board("paper:asl"), "§4, q"), short)
    places = Places(str(tmp_path), str(tmp_path))
    plan = make_plan(board, places, Ledger(places.ledger))
    assert {one.spec.seed for one in plan.asked} == {0} and {one.spec.epochs for one in plan.asked} == {2}
    assert {one.spec.params["q"] for one in plan.asked} == {0.3}
    assert len({one.meant.params["q"] for one in plan.asked}) == len(plan.asked) > 3, "each stands in its own row"
    assert all(one.row.endswith("(shortened: 2 epochs)") for one in plan.asked)
    assert board.call == "paper:asl" and board.name.startswith("paper-asl-4--q-epochs-2-seeds-1")
    assert board.again == "suite report paper:asl --table '§4, q' --epochs 2 --seeds 1 --set q=0.3 --set batch=2"
    with pytest.raises(UsageError, match="no method of leaderboard paper:asl has a parameter 'quux', and no dataset"):
        shortened(board, Shortened(params={"quux": 1}))


def test_settings_that_no_method_has_turn_the_dials_of_datasets(tmp_path):
    short = Shortened(seeds=1, params={"test_score": "0.995", "test_stride": "400", "width": "8"})
    board = shortened(only(find_board("paper:multi-label-detection"), "Table 1"), short)
    places = Places(str(tmp_path), str(tmp_path))
    plan = make_plan(board, places, Ledger(places.ledger))
    films = [one for one in plan.asked if one.spec.dataset.startswith("ava")]
    tubes = [one for one in plan.asked if one.spec.dataset.startswith("ucf101-24")]
    assert films and all(one.spec.dials["test_score"] == 0.995 and "test_stride" not in one.spec.dials for one in films)
    assert tubes and all(one.spec.dials["test_stride"] == 400 for one in tubes)
    assert all(one.meant.dials != one.spec.dials for one in plan.asked), "cells are found by what the board asks for"
    assert all("test_score=0.995" in one.dataset for one in plan.asked)


def test_options_that_fit_a_board_fit_each_of_its_tables():
    whole = find_board("paper:multi-label-detection")
    short, one = Shortened(params={"budget": "matched", "test_stride": "400"}), only(whole, "Table 9")
    assert shortened(one, short, whole).tables == one.tables, "no method of it has the one, no dataset the other"
    with pytest.raises(UsageError, match="has a parameter 'budget'"):
        shortened(one, short)
    with pytest.raises(UsageError, match="has a parameter 'quux'"):
        shortened(one, Shortened(params={"quux": "1"}), whole)


def test_fewer_seeds_alone_leave_runs_as_they_are(tmp_path):
    board = shortened(only(find_board("paper:asl"), "§4, q"), Shortened(seeds=1))
    places = Places(str(tmp_path), str(tmp_path))
    plan = make_plan(board, places, Ledger(places.ledger))
    assert not any(one.whole for one in plan.asked) and not board.shortened.words


def test_values_that_are_declared_to_take_longer_are_timed_apart():
    def key(**params: object) -> str:
        return key_for(RunSpec(method="multi-label-semi", dataset="ava-v2.2", params=params))

    assert key() == key(weight=0.1) == "multi-label-semi, recommended, ava-v2.2"
    assert key(distribution="unlabelled", weight=0.1) == f"{key()}, distribution=unlabelled"
    assert key(head="relation", preset="published").endswith("published, ava-v2.2, head=relation")
