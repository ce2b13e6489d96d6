"""``--set weights=RUN``: any method starts from kept weights, under a name of its own that their content gives."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from suite.data import load
from suite.errors import DataError, UsageError
from suite.models.folder import ModelFolder, kept_models
from suite.models.model import load_model
from suite.places import Places
from suite.registry import method, method_for
from suite.results.ledger import Ledger
from suite.runs import resolve_run, run_id
from suite.sealing import checked, with_check
from suite.spec.run import RunSpec
from suite.spec.sweep import SweepSpec
from suite.sweep.check import check
from suite.sweep.problem import problems
from suite.train.start import method_of
from suite.weights import continued
from tests.models.test_models import same
from tests.models.worlds import CLIPS, RUNS, VIDEOS, Small, trained

BMN = Small("npl-bmn", VIDEOS.format(",labelled=0.5"), {"preset": "small", "steps": 2, "semi_steps": 2})
KINDS: dict[str, Small] = {**RUNS, "proposals": BMN}
FAST = ("recognition", "weak-localization", "actor-detection")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places(str(tmp_path_factory.mktemp("outputs")))


class Runs(dict[str, str]):
    """The id of a run of each kind, with the weights that validation chose; trained when it is asked for."""

    def __init__(self, places: Places) -> None:
        super().__init__()
        self.places = places

    def __missing__(self, kind: str) -> str:
        self[kind] = trained(KINDS[kind], self.places, "selected").id
        return self[kind]


@pytest.fixture(scope="module")
def runs(places: Places) -> Runs:
    return Runs(places)


@pytest.fixture(autouse=True)
def _said_anew() -> None:
    continued._say.cache_clear()


def kept(run: str, places: Places) -> ModelFolder:
    return kept_models(places)[run]


def asked(small: Small, places: Places, weights: str, dataset: str = "", **params: Any) -> RunSpec:
    given = {**small.params, **params, "weights": weights}
    return resolve_run(
        small.method, dataset or small.dataset, given, epochs=small.epochs, models=places.local / "models"
    )


def started(spec: RunSpec, places: Places) -> nn.Module:
    """The network with which the training of ``spec`` begins, drawn with a seed."""
    chosen = method_for(spec.method, spec.params)
    data = load(spec.dataset, chosen.task, cache=places.cache, protocol=spec.protocol, dials=spec.dials)
    torch.manual_seed(1)
    return method_of(spec, chosen).network(data)


@pytest.mark.parametrize("kind", [k if k in FAST else pytest.param(k, marks=pytest.mark.slow) for k in KINDS])
def test_a_training_begins_with_what_the_model_predicts(kind: str, runs: Runs, places: Places):
    """Before the first step, the network predicts the very scores that the ledger holds of the model's run."""
    run = runs[kind]
    model = load_model(run, places)
    model.network = started(asked(KINDS[kind], places, run[:10]), places).eval()
    assert same(model, places, run, "validation")


def test_every_method_takes_weights():
    for one in ("mask-bce", "action-selection", "spot", "supervised-actors"):
        assert issubclass(method_for(one, {"weights": "x"}), continued.Continued)
        assert method_for(one, {}) is method_for(one, {"weights": ""}) is method(one)


def test_a_run_is_named_by_the_content_of_its_weights(runs: Runs, places: Places, tmp_path: Path):
    small, model = RUNS["recognition"], kept(runs["recognition"], places)
    shutil.copytree(model.path, tmp_path / "elsewhere")
    names = {
        run_id(asked(small, places, weights), places)
        for weights in (runs["recognition"], str(model.path), str(model.file()), str(tmp_path / "elsewhere"))
    }
    assert len(names) == 1
    plain = resolve_run(small.method, small.dataset, small.params, epochs=small.epochs)
    assert "weights" not in plain.params  # so that runs without it are called what they always were
    assert run_id(plain, places) == runs["recognition"] not in names
    assert run_id(asked(small, places, ""), places) == runs["recognition"]


def test_training_goes_on_and_says_from_where(runs: Runs, places: Places):
    small, run = RUNS["weak-localization"], runs["weak-localization"]
    spec = asked(small, places, run, lr=1e-7)
    outcome = trained(Small(small.method, small.dataset, dict(spec.params), small.epochs), places)
    ledger = Ledger(places.ledger)

    def headline(name: str) -> float:
        rows = ledger.metrics([name]).to_dicts()
        return next(
            row["value"]
            for row in rows
            if (row["metric"], row["split"], row["selection"]) == ("mAP", "test", "validation")
            and row["threshold"] is None
        )

    # At a rate that moves nothing, what comes out is what the model scored; from random weights it is not.
    fresh = trained(Small(small.method, small.dataset, {**small.params, "lr": 1e-7}, small.epochs), places)
    moved, apart = (abs(headline(one) - headline(run)) for one in (outcome.id, fresh.id))
    assert moved < apart / 20
    assert f"{run}/model.safetensors@sha256:" in json.loads(outcome.run["params"])["weights"]
    model = kept(outcome.id, places)
    assert model.config["started_from"]["run"] == run
    assert f"started from run `{run}`, action-selection on" in (model.path / "README.md").read_text()
    assert str(places.local) not in json.dumps(model.config)
    assert load_model(outcome.id, places).classes == load_model(run, places).classes


def test_layers_of_other_classes_start_anew_and_are_named(runs: Runs, places: Places, caplog: pytest.LogCaptureFixture):
    small, run = RUNS["recognition"], runs["recognition"]
    with caplog.at_level(logging.WARNING):
        network = started(asked(small, places, run, CLIPS.replace("]", ",verbs=30]")), places)
    assert "mask-bce on planted-verbs" in caplog.text
    assert "knows other classes: classifier.bias, classifier.weight start anew, all else is taken" in caplog.text
    held, own = kept(run, places).tensors(), network.state_dict()
    assert own["classifier.bias"].shape == (30,)
    assert all(torch.equal(own[name], held[name]) for name in own if not name.startswith("classifier."))


def test_thresholds_of_other_classes_start_anew(runs: Runs, places: Places):
    small, run = RUNS["actor-detection"], runs["actor-detection"]
    spec = asked(small, places, run)
    data = load(small.dataset, "actor-detection", cache=places.cache)
    made = method_of(spec, method_for(spec.method, spec.params))
    assert isinstance(made, continued.Continued)
    assert "thresholds" in made._class_layers(made.network(data), data)


def test_what_is_neither_a_run_nor_a_file_is_a_mistake(places: Places):
    for named in ("nothing", "00aa"):
        with pytest.raises(UsageError, match=f"no file {named}, nor a run of that name"):
            asked(RUNS["recognition"], places, named)


def test_another_network_is_refused_in_a_sentence(runs: Runs, places: Places):
    small = RUNS["recognition"]
    with pytest.raises(DataError, match=r"another network than this run: .* is \(16, .*\) there and \(8, .*\) here"):
        started(asked(small, places, runs["recognition"], hidden=8), places)
    with pytest.raises(DataError, match=r"action-selection on planted-videos.*it lacks .* are not here; give the run"):
        started(asked(small, places, runs["weak-localization"]), places)


def test_methods_with_the_same_network_start_from_each_other(runs: Runs, places: Places):
    other = Small("assume-negative", CLIPS, {"hidden": 16})
    network = started(asked(other, places, runs["recognition"]), places)
    held = kept(runs["recognition"], places).tensors()
    assert all(torch.equal(tensor, held[name]) for name, tensor in network.state_dict().items())


def test_weights_that_no_suite_kept_go_by_their_names(runs: Runs, places: Places, tmp_path: Path):
    tensors = kept(runs["recognition"], places).tensors()
    torch.save({"state_dict": tensors}, tmp_path / "mine.pth")
    network = started(asked(RUNS["recognition"], places, str(tmp_path / "mine.pth")), places)
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in network.state_dict().items())
    people = Small("supervised-actors", RUNS["actor-detection"].dataset, {})
    with pytest.raises(DataError, match=r"\(16, 8\) there"):  # on features, too, they are not passed over
        started(asked(people, places, str(tmp_path / "mine.pth")), places)


def test_a_sweep_starts_from_weights(runs: Runs, places: Places):
    folder = str(kept(runs["recognition"], places).path)
    sweep = SweepSpec.model_validate(
        {
            "name": "start",
            "methods": ["mask-bce"],
            "datasets": [CLIPS],
            "params": {"hidden": 16, "weights": folder},
            "space": {"tau": {"low": 0.1, "high": 0.5}},
        }
    )
    (problem,) = problems(sweep)
    (spec,) = problem.runs(problem.space.defaults())
    assert "@sha256:" in str(spec.params["weights"])
    assert check(sweep, places) == [True]  # and trains as a stack


def test_a_model_of_other_code_says_so_in_a_line(
    runs: Runs, places: Places, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    copied = tmp_path / "model"
    shutil.copytree(kept(runs["recognition"], places).path, copied)
    with caplog.at_level(logging.WARNING):
        load_model(copied)
        assert "code" not in caplog.text
        config = checked(json.loads((copied / "config.json").read_text()))
        (copied / "config.json").write_text(json.dumps(with_check({**config, "code": "0" * 16})))
        assert load_model(copied).classes
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("the code of mask-bce has changed since model") and "(00000000, now" in line
