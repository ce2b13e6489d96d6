"""What people see of a sweep: its page, its plan, tuned parameters, Optuna and TensorBoard exports, the commands."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from suite.cli import build
from suite.cli.progress import Table
from suite.cli.sweep_table import studies_table
from suite.declarations import shipped
from suite.errors import UsageError
from suite.places import Places
from suite.sweep.exports import export_optuna, export_tensorboard
from suite.sweep.figures import importances
from suite.sweep.files import ad_hoc, changed, find_sweep, known_sweep, store
from suite.sweep.planning import cost, plan_sweep
from suite.sweep.report import build_page
from suite.sweep.standing import overall
from suite.sweep.tuned import findings, tuned
from tests.sweep.conftest import WORLD, run_here, sweep

PUBLISHED = [
    {"params": {"q": 0.6, "beta": 0.3}, "note": "Fig. 1", "best": True},
    {"params": {"q": 0.2}, "note": "<b>Fig. 2</b>"},
]
GRID = {"q": [0.2, 0.5, 0.6], "beta": [0.1, 0.3, 0.5]}


def test_the_page_shows_every_section(places: Places) -> None:
    spec = sweep(title="Toys & figures", space=GRID, sampler="grid", seeds=2, published=PUBLISHED)
    run_here(spec, places)
    page = build_page(spec, places).read_text(encoding="utf-8")
    for heading in ("against q", "against beta", "q and β (beta)", "All parameters", "What matters", "The course"):
        assert heading in page
    assert "chosen on validation data" in page and "the method's defaults" in page.replace("&#39;", "'")
    assert "Toys &amp; figures" in page and "&lt;b&gt;Fig. 2" in page
    assert re.search(r"over 2 runs", page) and "Chosen against defaults on test data" in page
    assert not re.search(r'<(script|link)[^>]+(src|href)="http', page)


def test_a_page_of_failures_says_why(places: Places) -> None:
    spec = sweep(space={"trouble": ["nan"]}, sampler="grid", default=False, retries=0)
    run_here(spec, places)
    page = build_page(spec, places).read_text(encoding="utf-8")
    assert "No trial has come to its end" in page and "is nan" in page


def test_importance_finds_the_parameter_that_matters(places: Places) -> None:
    spec = sweep(space={"q": {}, "epochs": {"low": 1, "high": 3}}, sampler="random", budget={"trials": 14})
    run_here(spec, places)
    finding = findings(spec, places)[0]
    shares = importances(finding.problem, finding.observed)
    assert shares["q"] > 0.8 and abs(sum(shares.values()) - 1) < 1e-6


def test_two_objectives_have_a_front(places: Places) -> None:
    objectives = ["top-set", {"metric": "seconds", "direction": "minimize"}]
    spec = sweep(objectives=objectives, sampler="random", budget={"trials": 5})
    run_here(spec, places)
    assert "Two objectives" in build_page(spec, places).read_text(encoding="utf-8")


def test_the_plan_counts_what_is_left_and_what_it_costs(places: Places) -> None:
    spec = sweep(space=GRID, sampler="grid", seeds=2, concurrency=2)
    empty = plan_sweep(spec, places)
    assert empty[0].left == 9 and cost(spec, empty, 2)["CPU hours"] is None
    run_here(spec, places, works=4)
    plans = plan_sweep(spec, places)
    assert (plans[0].planned, plans[0].done, plans[0].left, plans[0].runs) == (9, 4, 5, 10)
    total = cost(spec, plans, 2)
    assert total["CPU hours"] > 0 and total["wall hours"] == pytest.approx(total["CPU hours"] / 2)


def test_leaderboards_take_tuned_parameters(places: Places) -> None:
    spec = sweep(space={"q": [0.1, 0.6]}, sampler="grid", params={"beta": 0.3}, default=False)
    store(spec, places)
    with pytest.raises(UsageError, match="no finished trial"):
        tuned("toys", "toy", WORLD, places)
    run_here(spec, places)
    assert tuned("toys", "toy", WORLD, places) == {"q": 0.6, "beta": 0.3}
    with pytest.raises(UsageError, match="no study"):
        tuned("toys", "toy", "planted-verbs", places)


def test_optuna_storage_holds_every_trial(places: Places) -> None:
    import optuna

    spec = sweep(space={"q": [0.2, 0.6], "trouble": ["none", "nan"]}, sampler="grid", default=False, retries=0)
    run_here(spec, places)
    file = export_optuna(spec, places)
    export_optuna(spec, places)  # a second export replaces the first
    names = optuna.get_all_study_names(f"sqlite:///{file}")
    assert len(names) == 1
    study = optuna.load_study(study_name=names[0], storage=f"sqlite:///{file}")
    assert sorted(t.state.name for t in study.trials) == ["COMPLETE", "COMPLETE", "FAIL", "FAIL"]
    assert study.best_params["q"] == 0.6


def test_tensorboard_files_on_request(places: Places) -> None:
    spec = sweep(space={"q": [0.2, 0.6]}, sampler="grid", default=False)
    run_here(spec, places)
    folder = export_tensorboard(spec, places)
    assert len(list(folder.rglob("events.out.tfevents*"))) == 2


def test_shipped_sweeps_are_named_as_their_files() -> None:
    for file in shipped("sweeps").glob("*.toml"):
        assert find_sweep(file.stem).name == file.stem


def test_a_sweep_of_ones_own_method_says_which_file_to_give(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text("")
    monkeypatch.setenv("SUITE_METHODS", str(tmp_path / "mine.py"))
    spec = ad_hoc("mask-bce", "planted-verbs", "tau", {"name": "own"}).model_copy(update={"methods": ("mine",)})
    store(spec, places)
    monkeypatch.setenv("SUITE_METHODS", "")
    with pytest.raises(UsageError, match=f"a method of your own, mine; add --methods {tmp_path}/mine.py"):
        known_sweep("own", places)


def test_sweeps_are_found_by_name_by_file_and_as_last_run(places: Places, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'neighbours'"):
        find_sweep("neighbors")
    (tmp_path / "other.toml").write_text('name = "toys"\nmethods = ["toy"]\ndatasets = ["d"]\n[space]\nq = {}\n')
    assert find_sweep(str(tmp_path / "other.toml")).name == "toys"
    spec = ad_hoc("toy", WORLD, "q=0.1..1,beta", {"budget": {"trials": 3}})
    assert spec.space["q"].low == 0.1 and spec.budget.trials == 3
    store(spec, places)
    assert known_sweep(spec.name, places) == spec
    narrowed = changed(sweep(space=GRID), "q", {"budget": {"trials": 2}})
    assert set(narrowed.space) == {"q"} and narrowed.space["q"].choices == (0.2, 0.5, 0.6)


def test_shipped_sweeps_fit_the_methods_that_they_name() -> None:
    from suite.sweep.problem import problems

    files = sorted(shipped("sweeps").glob("*.toml"))
    assert files
    for file in files:
        assert all(problem.points() or problem.space.parameters for problem in problems(find_sweep(file.stem)))


def test_commands_show_and_plan(places: Places) -> None:
    spec = sweep(space={"q": [0.2, 0.6]}, sampler="grid", default=False)
    store(spec, places)
    run_here(spec, places, works=1)
    runner = CliRunner()
    shown = runner.invoke(build(), ["sweep", "show", "toys", "--out", places.outputs, "--json"])
    told = json.loads(shown.stdout)
    assert told["studies"][0]["counts"]["complete"] == 1 and Path(told["page"]).is_file()
    plan = runner.invoke(build(), ["plan", "sweep", "toys", "--out", places.outputs, "--json"])
    assert json.loads(plan.stdout)["trials left"] == 1
    exported = runner.invoke(build(), ["sweep", "dashboard", "toys", "--out", places.outputs, "--export-only"])
    assert "optuna.db" in exported.stdout


def test_the_live_table_tells_progress_and_best(places: Places) -> None:
    from rich.console import Console

    spec = sweep(space=GRID, sampler="grid")
    snapshot = run_here(spec, places, works=3).snapshot()
    console = Console(width=140, record=True, file=io.StringIO())
    Table(SimpleNamespace(update=console.print)).show(overall(spec, snapshot), studies_table(snapshot))
    text = console.export_text()
    assert "3 of 9 done" in text and "left" in text and "q=0.5" in text
