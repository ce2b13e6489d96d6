"""The source and the performer of a sweep without Ray: nothing lost, nothing twice, failures told."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

import pytest

from suite.errors import UsageError
from suite.places import Places
from suite.results.ledger import Ledger
from suite.runs import resolve_run
from suite.sweep.check import check
from suite.sweep.source import SweepSource
from suite.sweep.tuned import findings
from suite.tasks import Metric, task
from suite.work.execute import execute
from suite.work.machine import Machine
from suite.work.source import Item
from tests.sweep.conftest import WORLD, rows, run_here, sweep


def settings(places: Places, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(json.loads(row["params"])[name] for name in names) for row in rows(places)]


@pytest.mark.parametrize("sampler", ["tpe", "gp", "cmaes", "random", "qmc", "grid", "nsga2"])
def test_every_sampler_fills_its_budget_over_three_lives(places: Places, sampler: str) -> None:
    objectives = ["top-set", {"metric": "seconds", "direction": "minimize"}] if sampler == "nsga2" else ["top-set"]
    spec = sweep(sampler={"name": sampler, "startup": 3, "population": 4}, budget={"trials": 11}, objectives=objectives)
    for works in (4, 4, 100):
        run_here(spec, places, works)
    found = settings(places, "q", "beta")
    assert len(found) == len(set(found)) == 11
    assert all(row["status"] == "finished" and row["group"] == "toys" for row in rows(places))


def test_a_model_finds_the_optimum_better_than_its_start(places: Places) -> None:
    spec = sweep(sampler={"name": "tpe", "startup": 8}, budget={"trials": 30}, default=False)
    run_here(spec, places)
    best = findings(spec, places)[0].best
    assert best is not None
    assert abs(best.values["q"] - 0.6) < 0.2 and abs(best.values["beta"] - 0.3) < 0.2


def test_a_finished_sweep_has_nothing_left(places: Places) -> None:
    spec = sweep(space={"q": [0.2, 0.6]}, sampler="grid", default=False)
    run_here(spec, places)
    again = SweepSource(spec, places)
    assert again.settled() and again.next("w") == "over"
    assert len(rows(places)) == 2


def test_what_somebody_else_ran_is_not_run_again(places: Places) -> None:
    outcome = execute(
        resolve_run("toy", WORLD, {"q": 0.2}), places, machine=Machine(checkpoints=False), group="a board"
    )
    Ledger(places.ledger).record(outcome)
    spec = sweep(space={"q": [0.2, 0.6]}, sampler="grid", default=False)
    source = run_here(spec, places)
    assert Counter(row["group"] for row in rows(places)) == {"a board": 1, "toys": 1}
    assert source.snapshot()["studies"][0]["counts"]["complete"] == 2


def test_more_seeds_later_go_on_with_the_same_configurations(places: Places) -> None:
    run_here(sweep(budget={"trials": 4}), places)
    run_here(sweep(budget={"trials": 4}, seeds=3), places)
    found = Counter(settings(places, "q", "beta"))
    assert len(found) == 4 and set(found.values()) == {3}


def test_conditional_axes_exist_only_where_their_condition_holds(places: Places) -> None:
    space = {"kind": ["plain", "fancy"], "extra": {"when": {"kind": "fancy"}, "grid": [3, 5, 7]}}
    run_here(sweep(space=space, sampler="grid"), places)
    assert sorted(settings(places, "kind", "extra")) == [("fancy", 3), ("fancy", 5), ("fancy", 7), ("plain", 3)]


def test_points_without_a_space_are_an_ablation(places: Places) -> None:
    spec = sweep(space={}, points=[{"q": 0.1, "kind": "fancy"}, {"q": 0.6}], sampler="grid")
    run_here(spec, places, works=2)
    run_here(spec, places)
    assert sorted(settings(places, "q", "kind")) == [(0.1, "fancy"), (0.5, "plain"), (0.6, "plain")]


def test_a_finite_space_ends_when_it_is_used_up(places: Places) -> None:
    spec = sweep(space={"kind": {}, "extra": {"low": 1, "high": 3}}, budget={"trials": 50}, default=False)
    run_here(spec, places)
    assert len(set(settings(places, "kind", "extra"))) == len(rows(places)) == 6


def test_datasets_are_studies_of_their_own_or_averaged(places: Places) -> None:
    other = WORLD.replace("test=50", "test=60")
    each = sweep(space={"q": [0.2, 0.6]}, datasets=[WORLD, other], sampler="grid", default=False)
    assert len(findings(each, places)) == 2
    mean = sweep(space={"q": [0.2, 0.6]}, datasets=[WORLD, other], sampler="grid", default=False, across="mean")
    source = run_here(mean, places)
    assert len(rows(places)) == 4
    assert source.snapshot()["studies"][0]["counts"]["complete"] == 2


def test_a_dial_of_the_dataset_is_an_axis(places: Places) -> None:
    run_here(sweep(space={"ambiguity": [1.0, 3.0]}, sampler="grid", default=False), places)
    assert {row["dataset"].count("ambiguity") for row in rows(places)} == {1}
    run_here(sweep(space={"ambiguity": [1.0, 3.0]}, sampler="grid", default=False), places)
    assert len(rows(places)) == 2


# Faults ---------------------------------------------------------------------------------------------------------------


def test_failures_are_retried_within_the_limit_and_then_recorded(places: Places) -> None:
    spec = sweep(space={"trouble": ["none", "nan", "memory"]}, sampler="grid", retries=2, default=False)
    source = run_here(spec, places)
    attempts = Counter((json.loads(r["params"])["trouble"], r["status"]) for r in rows(places))
    assert attempts == {("none", "finished"): 1, ("nan", "failed"): 3, ("memory", "failed"): 3}
    errors = {row["error"] for row in rows(places) if row["status"] == "failed"}
    assert any("nan" in error for error in errors) and any("out of memory" in error for error in errors)
    assert source.snapshot()["studies"][0]["counts"] == {"complete": 1, "pruned": 0, "failed": 2}
    run_here(spec, places)
    assert len(rows(places)) == 7


@pytest.mark.parametrize("axes", [{}, {"threshold": {"low": 0.05, "high": 1.0}}])
def test_objectives_that_are_no_numbers_fail_with_a_reason_and_are_not_tried_again(
    places: Places, monkeypatch: pytest.MonkeyPatch, axes: dict[str, Any]
) -> None:
    kind = type(task("recognition"))
    told = kind.evaluate

    def undefined(*given: Any) -> list[Metric]:
        """As where no sample of a split has a class: its mean is of nothing."""
        share = given[0].logits.max(axis=1).mean()  # tells configurations apart
        return [replace(m, value=nan if share > 0 and m.metric == "mAP" else m.value) for m in told(*given)]

    monkeypatch.setattr(kind, "evaluate", staticmethod(undefined))
    spec = sweep(space={"q": [0.2, 0.6], **axes}, budget={"trials": 2}, objective="mAP", default=False)
    source = run_here(spec, places)
    (study,) = source.snapshot()["studies"]
    assert study["counts"] == {"complete": 0, "pruned": 0, "failed": 2}
    assert {one["error"] for one in study["errors"]} == {"the objective is not a finite number"}
    before = len(rows(places))
    again = run_here(spec, places)
    assert len(rows(places)) == before and again.snapshot()["studies"][0]["counts"] == study["counts"]


def test_a_search_where_one_setting_alone_has_an_objective_is_over(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sign, two settings in the ledger, must not need a second that is finite: it would train for ever."""
    kind = type(task("recognition"))
    told = kind.evaluate

    def undefined(*given: Any) -> list[Metric]:
        return [replace(m, value=m.value if given[0].threshold > 0.9 else nan) for m in told(*given)]

    monkeypatch.setattr(kind, "evaluate", staticmethod(undefined))
    spec = sweep(space={"q": [0.6], "threshold": [0.1, 0.95]}, objective="mAP", budget={"trials": 1}, default=False)
    source = run_here(spec, places)
    assert source.snapshot()["studies"][0]["counts"] == {"complete": 1, "pruned": 0, "failed": 0}
    assert findings(spec, places)[0].best.settings == {"q": 0.6, "threshold": 0.95}
    assert SweepSource(spec, places).settled()


def test_what_fails_once_succeeds_the_second_time(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_MARK", str(tmp_path / "mark"))
    run_here(sweep(space={"trouble": ["once"]}, sampler="grid", default=False), places)
    assert [row["status"] for row in rows(places)] == ["failed", "finished"]


def test_a_lost_workers_configuration_goes_to_another(places: Places) -> None:
    spec = sweep(space={"q": [0.2, 0.6]}, sampler="grid", default=False)
    source = SweepSource(spec, places)
    first = source.next("a")
    second = source.next("b")
    assert isinstance(first, Item) and isinstance(second, Item) and source.next("c") == "wait"
    source.lost("a")
    again = source.next("c")
    assert isinstance(again, Item) and again.units[0].proposal.values == first.units[0].proposal.values
    source.done("a", first.number, [])  # a late result of a worker taken for dead changes nothing
    assert not source.settled()


def test_what_kills_its_workers_is_given_up_and_recorded(places: Places) -> None:
    spec = sweep(space={"q": [0.2]}, sampler="grid", default=False, retries=1)
    source = SweepSource(spec, places)
    for name in ("a", "b"):
        assert isinstance(source.next(name), Item)
        source.lost(name)
    assert source.next("c") == "over" and source.settled()
    assert "died 2 times" in rows(places)[0]["error"]
    assert SweepSource(spec, places).settled()


def test_a_stopped_sweep_says_what_it_abandons_and_takes_it_up_first(places: Places) -> None:
    spec = sweep(budget={"trials": 3})
    source = SweepSource(spec, places)
    work = source.next("a")
    assert isinstance(work, Item)
    source.stop()
    assert source.next("b") == "over" and not source.going()
    source.done("a", work.number, [])
    assert source.snapshot()["open"] and source.settled()
    again = SweepSource(spec, places).next("a")
    assert isinstance(again, Item) and again.units[0].proposal.values == work.units[0].proposal.values


# Pruners --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pruner", [{"name": "median", "startup": 2}, {"name": "asha", "startup": 0, "reduction": 2}])
def test_bad_curves_are_given_up_early(places: Places, pruner: dict[str, Any]) -> None:
    values = [0.6, 0.58, 0.62, 0.0, 1.0]
    spec = sweep(space={"q": values}, sampler="grid", pruner=pruner, params={"epochs": 6}, default=False)
    run_here(spec, places)
    by_status = {json.loads(row["params"])["q"]: row["status"] for row in rows(places)}
    assert by_status[0.6] == "finished" and by_status[0.0] == by_status[1.0] == "pruned"
    assert "epoch" in next(row["error"] for row in rows(places) if row["status"] == "pruned")
    assert SweepSource(spec, places).settled()


def test_wilcoxon_gives_up_between_seeds(places: Places) -> None:
    spec = sweep(
        space={"q": [0.6, 0.0]}, sampler="grid", seeds=8, pruner={"name": "wilcoxon", "startup": 1}, default=False
    )
    source = run_here(spec, places)
    assert source.snapshot()["studies"][0]["counts"] == {"complete": 1, "pruned": 1, "failed": 0}
    assert len(rows(places)) < 16
    assert SweepSource(spec, places).settled()


# At once --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"space": {"bogus": {}}}, "no parameter 'bogus'"),
        ({"space": {"q": {"low": 2.0, "high": 3.0}}}, "out of range"),
        ({"space": {"q": {"low": 1.0}}}, "is empty"),
        ({"methods": ["tory"]}, "did you mean 'toy'"),
        ({"datasets": ["planted-vebs"]}, "did you mean 'planted-verbs'"),
        ({"params": {"sede": 1}}, "no parameter 'sede'"),
        ({"objective": "accuracy"}, "no run of toy reports 'accuracy'"),
        ({"objective": "IoU"}, "thresholds 0.5"),
        ({"objective": {"metric": "IoU", "threshold": 0.5}, "pruner": "median"}, "needs a curve"),
        ({"space": {"extra": {"when": {"kind": "plane"}}, "kind": {}}}, "never happens"),
    ],
)
def test_mistakes_are_one_sentence_before_anything_starts(places: Places, values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        check(sweep(**values), places)
    assert "\n" not in str(caught.value) and str(caught.value).endswith((".", "?"))
    assert rows(places) == []
