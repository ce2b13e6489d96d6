"""The inner loop over post-processing parameters: exact, on validation data, recorded as runs of their own."""

from __future__ import annotations

import json

import numpy as np
import pytest

from suite.data import load
from suite.places import Places
from suite.runs import resolve_run
from suite.spec.sweep import Objective
from suite.sweep.fast import metric_values
from suite.sweep.inner import Scored, around, search_post, spread
from suite.sweep.problem import problems
from suite.sweep.tuned import findings
from suite.tasks import task
from suite.work.execute import execute
from suite.work.machine import Machine
from tests.sweep.conftest import WORLD, rows, run_here, sweep


def test_the_short_way_and_the_evaluator_agree(places: Places) -> None:
    data = load(WORLD, "recognition", None, places.cache)
    outcome = execute(resolve_run("toy", WORLD), places, machine=Machine(checkpoints=False))
    run = Scored.of(outcome)
    objectives = (Objective(metric="F1 own threshold"), Objective(metric="IoU own threshold"))
    several = [run.method({"threshold": t}) for t in (0.1, 0.4, 0.62, 0.9)]
    predictions = [m.decode(run.points["validation"]["validation"], data.validation) for m in several]
    short = metric_values(predictions, data.validation, data, task("recognition"), objectives)
    told = [
        {m.metric: m.value for m in task("recognition").evaluate(p, data.validation, data) if not m.label}
        for p in predictions
    ]
    np.testing.assert_allclose(short, [[t["F1 own threshold"], t["IoU own threshold"]] for t in told], atol=1e-12)


def test_post_parameters_are_searched_without_training(places: Places) -> None:
    spec = sweep(
        space={"q": [0.2, 0.6], "threshold": {"low": 0.05, "high": 1.0}},
        objective="F1 own threshold",
        budget={"trials": 3},
        inner=200,
        default=False,
    )
    run_here(spec, places)
    found = findings(spec, places)[0]
    assert found.best is not None and found.best.values == {"q": 0.6}
    assert len(found.observed) == 2  # the two that were trained, however many settings were tried
    thresholds = {json.loads(row["params"])["threshold"] for row in rows(places)}
    assert 0.5 in thresholds and len(thresholds) > 1
    assert {row["status"] for row in rows(places)} == {"finished"}
    before = len(rows(places))
    run_here(spec, places)
    assert len(rows(places)) == before


def test_a_grid_records_every_point_of_its_post_axes(places: Places) -> None:
    spec = sweep(space={"threshold": [0.1, 0.3, 0.7]}, objective="IoU own threshold", sampler="grid", default=False)
    run_here(spec, places)
    assert sorted(json.loads(row["params"])["threshold"] for row in rows(places)) == [0.1, 0.3, 0.5, 0.7]


def test_a_recorded_setting_is_what_training_with_it_gives(places: Places) -> None:
    problem = problems(sweep(space={"threshold": [0.1, 0.7]}, objective="IoU own threshold", sampler="grid"))[0]
    outcome = execute(resolve_run("toy", WORLD), places, machine=Machine(checkpoints=False))
    found = search_post(problem, {}, [Scored.of(outcome)], 100)
    for recorded in found.outcomes:
        threshold = json.loads(recorded.run["params"])["threshold"]
        direct = execute(
            resolve_run("toy", WORLD, {"threshold": threshold}), places, machine=Machine(checkpoints=False)
        )
        assert recorded.id == direct.id

        def told(outcome):
            return {
                (m["split"], m["metric"], m["label"], m["threshold"]): m["value"]
                for m in outcome.metrics
                if m["selection"] == "validation"
            }

        assert told(recorded) == pytest.approx(told(direct), nan_ok=True)


def test_settings_cover_the_space_and_stay_inside() -> None:
    space = problems(sweep(space={"q": {}, "kind": {}, "extra": {}}))[0].space
    settings = spread(space, 64) + around(space, {"q": 0.99, "kind": "fancy", "extra": 9}, 64)
    assert all(space.contains(values) for values in settings)
    assert {values["kind"] for values in settings[:64]} == {"plain", "fancy"}
    q = np.array([float(values["q"]) for values in settings[:64]])
    assert np.histogram(q, 4, (0, 1))[0].min() >= 12
    small = problems(sweep(space={"kind": {}, "extra": {"low": 1, "high": 3}}))[0].space
    assert len(spread(small, 100)) == 6
