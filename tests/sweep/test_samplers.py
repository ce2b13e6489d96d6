"""Samplers and pruners by name, and classes of a user's own named in a sweep file."""

from __future__ import annotations

from typing import Any

import pytest

from suite.errors import UsageError
from suite.places import Places
from suite.sweep.problem import problems
from suite.sweep.pruners import PRUNERS, pruner_kind
from suite.sweep.samplers import SAMPLERS, sampler_kind
from suite.sweep.study import make_study
from suite.sweep.tuned import findings
from tests.sweep.conftest import run_here, sweep

SPACE = {"q": {}, "kind": {}}


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_proposes(name: str) -> None:
    problem = problems(sweep(space=SPACE, sampler={"name": name, "population": 4, "startup": 2}))[0]
    study = make_study(problem.space, problem.sweep.sampler, problem.sweep.pruner, ["maximize"], [], 0)
    assert problem.space.contains(problem.space.suggest(study.ask()))


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_judges(name: str) -> None:
    problem = problems(sweep(space=SPACE, pruner={"name": name, "startup": 0}, seeds=2))[0]
    study = make_study(problem.space, problem.sweep.sampler, problem.sweep.pruner, ["maximize"], [], 0)
    trial = study.ask()
    trial.report(0.5, 1)
    assert not trial.should_prune(), "there is nothing to compare with"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"sampler": "tpr"}, "no sampler 'tpr'; did you mean 'tpe'. Your own is named package.module:Class"),
        ({"pruner": "medain"}, "no pruner 'medain'; did you mean 'median'"),
        ({"sampler": "optuna.samplers:TPESample"}, "no sampler 'optuna.samplers:TPESample'"),
        ({"sampler": "nowhere.at_all:Sampler"}, "no sampler 'nowhere.at_all:Sampler'"),
        ({"sampler": {"name": "tpe", "options": {"a": 1}}}, "the sampler tpe takes no options"),
        ({"sampler": {"name": "optuna.samplers:TPESampler", "options": {"a": 1}}}, "cannot be made with its options"),
        ({"sampler": "optuna.samplers:GridSampler"}, "ends a study by itself; use grid"),
        ({"pruner": {"name": "optuna.pruners:PatientPruner"}}, "cannot be made with its options"),
        ({"pruner": "wilcoxon"}, "the wilcoxon pruner compares over seeds and datasets"),
        ({"sampler": "cmaes", "objectives": ["top-set", "mAP"]}, "the sampler cmaes takes one objective; use nsga2"),
    ],
)
def test_a_mistake_is_one_sentence(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        (problem,) = problems(sweep(space=SPACE, **values))
        make_study(problem.space, problem.sweep.sampler, problem.sweep.pruner, ["maximize"], [], 0)
    assert "\n" not in str(caught.value)


def test_a_class_of_ones_own_searches(places: Places) -> None:
    own = {"name": "optuna.samplers:RandomSampler"}
    pruner = {"name": "optuna.pruners:PercentilePruner", "options": {"percentile": 50.0}}
    spec = sweep(space={"kind": {}}, sampler=own, pruner=pruner, default=False, budget={"trials": 5})
    run_here(spec, places)
    observed = findings(spec, places)[0].observed
    assert {one.values["kind"] for one in observed} == {"plain", "fancy"}
    assert sampler_kind(spec.sampler).several and pruner_kind(spec.pruner).looks == "curve"
